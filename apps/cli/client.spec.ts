import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from './client.js';
import { edgeFindings } from './doctor/edge.js';
import { askEdge } from './edge-socket.js';
import { Unreachable } from './failures.js';
import { readSettings } from './settings.js';

const ITEMS = 25;
const PAGE = 10;

describe('The client', () => {
  let server: Server;
  let client: Client;
  beforeEach(async () => {
    server = createServer((request, response) => {
      const url = new URL(request.url!, 'http://localhost');
      if (url.pathname === '/hangs') return;
      response.writeHead(200, { 'content-type': 'application/json' });
      if (url.pathname === '/half') {
        response.write('{"items":');
        return;
      }
      const from = Number(url.searchParams.get('cursor') ?? 0);
      const items = Array.from({ length: Math.min(PAGE, ITEMS - from) }, (_, at) => from + at);
      const next = from + PAGE < ITEMS ? String(from + PAGE) : null;
      response.end(JSON.stringify({ items, nextCursor: next }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { KCM_URL: `http://127.0.0.1:${port}`, KCM_TOKEN: 't' };
    client = new Client(readSettings(env), null);
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each(['/hangs', '/half'])(
    'does not wait for ever for %s, and says that it is late',
    async (at) => {
      const late = await client
        .within(50)
        .get(at)
        .catch((error: unknown) => error);
      expect(late).toBeInstanceOf(Unreachable);
      expect(late).toMatchObject({ late: true, sent: true });
      expect(String(late)).toContain('does not answer');
    },
  );

  it('reads a list to the end of it, or says that it goes on', async () => {
    const whole = Array.from({ length: ITEMS }, (_, at) => at);
    for (const [max, more] of [
      [Infinity, false],
      [ITEMS, false],
      [ITEMS - 1, true],
      [PAGE, true],
    ] as const) {
      expect(await client.list('/all', {}, max)).toEqual(whole.slice(0, max));
      expect(client.more).toBe(more);
    }
  });
});

it('An Edge that does not answer is late too', async () => {
  const socket = join(tmpdir(), `kcm-hangs-${process.pid}.sock`);
  const edge = createServer(() => undefined);
  await new Promise<void>((resolve) => edge.listen(socket, resolve));
  const late = await askEdge(socket, 'GET', '/readyz', undefined, 50).catch(
    (error: unknown) => error,
  );
  expect(late).toMatchObject({ late: true });
  edge.closeAllConnections();
  await new Promise((resolve) => edge.close(resolve));
  expect(await edgeFindings('gone', socket)).toMatchObject([{ level: 'wrong' }]);
});
