import * as fc from 'fast-check';
import { HttpReader, type Read } from './http-reader.js';

const post = (length: string, more: string, body: string): string =>
  `POST /v1/tenants/acme/encrypt HTTP/1.1\r\nHost: e\r\nContent-Length: ${length}\r\n${more}\r\n${body}`;

/** Heads that differ by little, and bodies that look like heads. */
const requests = fc.oneof(
  fc.constant(post('2', '', '{}')),
  fc.constant(post('3', '', '{ }')),
  fc.constant(post('2', 'X-A: b\r\n', '{}')),
  fc.constant(post('02', '', '{}')),
  fc.constant(post('2', 'Connection: close\r\n', '{}')),
  fc.constant(post('2', 'Expect: 100-continue\r\n', '{}')),
  fc.constant('GET /livez HTTP/1.1\r\nHost: e\r\n\r\n'),
  fc.constant(post('40', '', 'GET /livez HTTP/1.1\r\nHost: e\r\n\r\n12345678')),
);
const malformed = fc.constantFrom(
  '',
  post('2', 'Host: f\r\n', '{}'),
  post('x', '', ''),
  'x\r\n\r\n',
);

function readAll(reader: HttpReader, bytes: Buffer, cuts: readonly number[]): Read[] {
  const read: Read[] = [];
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  let from = 0;
  for (const end of ends.toSorted((a, b) => a - b)) {
    reader.push(bytes.subarray(from, end));
    from = end;
    for (let next = reader.next(); next.kind !== 'more'; next = reader.next())
      if (next.kind !== 'continue') read.push(next);
  }
  return read;
}

describe('A connection', () => {
  it('reads each request as if it were its first, whatever came before and however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(requests, { maxLength: 8 }),
        malformed,
        fc.array(fc.nat(), { maxLength: 6 }),
        (whole, last, cuts) => {
          const all = last === '' ? whole : [...whole, last];
          const alone = all.flatMap((text) => readAll(new HttpReader(), Buffer.from(text), []));
          expect(readAll(new HttpReader(), Buffer.from(all.join('')), cuts)).toEqual(alone);
        },
      ),
    );
  });

  it('asks for 100 Continue each time that a head says so', () => {
    const waiting = post('2', 'Expect: 100-continue\r\n', '');
    const reader = new HttpReader();
    for (let time = 0; time < 3; time += 1) {
      reader.push(Buffer.from(waiting));
      expect(reader.next().kind).toBe('continue');
      expect(reader.next().kind).toBe('more');
      reader.push(Buffer.from('{}'));
      expect(reader.next().kind).toBe('request');
    }
  });
});
