import * as fc from 'fast-check';
import { type ServerSent, serverSentEvents } from './server-sent-events.js';

async function parsed(chunks: readonly Uint8Array[]): Promise<readonly ServerSent[]> {
  async function* stream() {
    yield* chunks;
  }
  const found: ServerSent[] = [];
  for await (const event of serverSentEvents(stream())) found.push(event);
  return found;
}
const STREAM = [
  ': a comment',
  'retry: 1000',
  'id: 7',
  '',
  ': nothing new',
  '',
  'id: 8',
  'data: {"a":"ü"}',
  '',
  'data:first',
  'data: second',
  'event: ignored',
  '',
  'id: 9',
  'data: cut off',
].join('\n');
const EVENTS = [
  { id: '7', data: null },
  { id: '8', data: '{"a":"ü"}' },
  { id: '8', data: 'first\nsecond' },
];

describe('Server-sent events', () => {
  it.each(['\n', '\r\n', '\r'])(
    'are read however the stream is cut into pieces (%j)',
    async (end) => {
      const bytes = Buffer.from(STREAM.replaceAll('\n', end));
      const cut = fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 20 });
      await fc.assert(
        fc.asyncProperty(cut, async (cuts) => {
          const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
          const pieces = edges.slice(1).map((to, at) => bytes.subarray(edges[at], to));
          expect(await parsed(pieces)).toEqual(EVENTS);
        }),
        { numRuns: 50 },
      );
    },
  );

  it('an id with a NUL in it is none', async () => {
    expect(await parsed([Buffer.from('id: a\0b\ndata: x\n\n')])).toEqual([{ id: null, data: 'x' }]);
  });
});
