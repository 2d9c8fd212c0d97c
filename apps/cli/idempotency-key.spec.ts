import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { kcmProgram } from './kcm-program.js';

describe('A command that changes something', () => {
  let server: Server;
  let heard: IncomingHttpHeaders['x'][];
  /** Refuses as a server whose disk is full, or hangs up in the middle. */
  let hangsUp: boolean;
  const before = { ...process.env };

  beforeEach(async () => {
    heard = [];
    hangsUp = false;
    server = createServer((request, response) => {
      heard.push(request.headers['idempotency-key']);
      if (hangsUp) {
        request.socket.destroy();
        return;
      }
      const body = { code: 'ledger_unavailable', detail: 'The lock acts already.' };
      response.writeHead(503, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    process.env = { ...before, KCM_URL: `http://127.0.0.1:${port}`, KCM_TOKEN: 't' };
  });
  afterEach(async () => {
    process.env = before;
    await new Promise((resolve) => server.close(resolve));
  });

  const said = (...words: string[]): Promise<string> =>
    kcmProgram()
      .parseAsync(['node', 'kcm', ...words])
      .then(() => 'done')
      .catch((error: unknown) => (error as Error).message);

  it('has a key of its own, and names it where it has to be sent again', async () => {
    const words = ['tenant', 'block', 'acme'];
    for (hangsUp of [false, true]) {
      const text = await said(...words);
      const key = heard.at(-1);
      expect(key).toMatch(/^[0-9a-f-]{36}$/);
      expect(text).toContain(`--idempotency-key '${String(key)}'`);
      expect(await said(...words, '--idempotency-key', String(key))).toContain(String(key));
      expect(heard.at(-1)).toBe(key);
    }
    expect(new Set(heard).size).toBe(2);
  });

  it('is told from one that only looks, and from one that never got there', async () => {
    expect(await said('tenant', 'show', 'acme')).not.toContain('--idempotency-key');
    expect(heard).toEqual([undefined]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await said('tenant', 'block', 'acme')).not.toContain('--idempotency-key');
  });
});
