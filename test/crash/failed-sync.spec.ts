import { join } from 'node:path';
import { removeFolder, scratchFolder, Server } from '../support/server.js';
import { straceWords } from '../support/strace.js';

/** Behind those of a first start. */
const SYNC = '35';
const TENANTS_MAX = 500;

describe('a sync that fails under the whole product', () => {
  const folder = scratchFolder('sync');
  const running: Server[] = [];
  const start = (before: readonly string[]): Promise<Server> => {
    const server = new Server(folder, { before, env: { KCM_LOG_LEVEL: 'warn' } });
    running.push(server);
    return server.start();
  };
  afterAll(async () => {
    for (const server of running) await server.kill();
    removeFolder(folder);
  });

  it('ends it with a code, and the next start has what was acknowledged', async () => {
    const log = join(folder, 'data', 'ledger.db-wal');
    const fault = { call: 'fsync', does: 'error=EIO', when: SYNC } as const;
    const { words, env } = await straceWords([log], fault, join(folder, 'trace'));
    const faulty = await start([
      'env',
      ...Object.entries(env).map((pair) => pair.join('=')),
      ...words,
    ]);
    const acknowledged: string[] = [];
    const { url, operatorToken: token } = faulty;
    for (let n = 0; n < TENANTS_MAX && faulty.running; n += 1) {
      const id = `t-${n}`;
      const body = { id, name: id };
      const answer = await faulty.ask('POST', '/v1/tenants', { token, body }).catch(() => null);
      if (answer === null || answer.status >= 300) break;
      acknowledged.push(id);
    }
    expect(await faulty.ended()).toBe(1);
    expect(faulty.tail()).toMatch(
      /OpenKCM stops \(ledger_unavailable\)\. .*ledger\.db takes nothing/,
    );
    expect(acknowledged.length).toBeGreaterThan(0);

    const server = await start([]);
    expect(server.url).not.toBe(url);
    const { items } = await server.must<{ items: { id: string }[] }>(
      'GET',
      '/v1/tenants?limit=200',
    );
    const ids = items.map(({ id }) => id);
    for (const id of acknowledged) expect(ids).toContain(id);
    expect(ids.length).toBeLessThanOrEqual(acknowledged.length + 1);
  }, 60_000);
});
