import { cpSync, existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordedEvent } from '@kcm/kernel';
import { FIGURES } from '@kcm/testing/figures';
import { Customer, onboard, type Onboarded } from '../support/customer.js';
import { askEdge } from '../support/edge-socket.js';
import type { Answer, Asked } from '../support/http.js';
import { say } from '../support/seeded.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';
import { SmallDisk } from '../support/small-disk.js';
import { eventsOf, faultsOf } from './ledger-audit.js';

const DISK_BYTES = 48 * 1024 * 1024;
const BOUND_MS = 11_000;
const SETTLED_MS_MAX = 20_000;
/** A refusal lets go of what the log held, so it may take some before nothing fits any more. */
const TRIES_MAX = 40;
const PLAINTEXT = Buffer.from('of a full disk').toString('base64');

interface Page {
  readonly items: readonly { readonly id: string }[];
  readonly nextCursor: string | null;
}

describe('a full disk under the whole product', () => {
  const folder = scratchFolder('full');
  const known = new Set(['acme']);
  let disk: SmallDisk;
  let customer: Customer;
  let server: Server;
  let acme: Onboarded;
  let socket: string;
  let ciphertext: string;

  const ask = (method: string, path: string, asked: Asked = {}) =>
    server.ask(method, path, { token: server.operatorToken, ...asked });
  const register = (id: string): Promise<Answer> =>
    ask('POST', '/v1/tenants', {
      body: { id, name: id },
      headers: { 'idempotency-key': `register ${id}` },
    });
  const tenants = async (): Promise<string[]> => {
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: Page = await server.must<Page>('GET', `/v1/tenants?limit=100${from}`);
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    return ids;
  };
  const issue = (): Promise<Answer> =>
    ask('POST', '/v1/sys/tokens', { body: { subject: 'otto', roles: ['platform-auditor'] } });
  const opens = async (): Promise<string | null> => {
    const { status, body } = await askEdge(socket, '/v1/tenants/acme/decrypt', { ciphertext });
    return status === 200 && body['plaintext'] === PLAINTEXT ? null : String(body['code']);
  };
  const until = async (what: string, look: () => Promise<boolean>): Promise<void> => {
    const end = performance.now() + SETTLED_MS_MAX;
    while (!(await look())) {
      if (performance.now() > end) throw new Error(`no ${what} in time\n${server.tail()}`);
      await sleep(25);
    }
  };
  /** Asked anew, each time on a disk without a free byte, until it is refused. */
  const refused = async (command: (attempt: number) => Promise<Answer>): Promise<void> => {
    for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
      disk.fill();
      const answer = await command(attempt);
      // Recorded, and the read model that would answer it is the one without room.
      if (answer.status < 300 || answer.body['code'] === 'read_model_behind') continue;
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(answer.body).toMatchObject({ status: 503, code: 'ledger_unavailable' });
      return;
    }
    throw new Error('never refused');
  };
  /** What the ledger holds: a copy outside, since SQLite would follow the way in to its end. */
  const held = async (): Promise<readonly RecordedEvent[]> => {
    const copy = mkdtempSync(join(folder, 'copy-'));
    for (const name of ['ledger.db', 'ledger.db-wal'])
      if (existsSync(join(disk.path, name))) cpSync(join(disk.path, name), join(copy, name));
    return eventsOf(copy);
  };
  const seals = async (): Promise<number> =>
    (await held()).filter(({ type }) => type === 'RegionSealed').length;
  const ledgerReasons = async (): Promise<readonly string[]> => {
    const { body } = await server.ask('GET', '/readyz');
    const reasons = body['reasons'] as readonly { dependency: string; code: string }[];
    return reasons.filter(({ dependency }) => dependency === 'ledger').map(({ code }) => code);
  };
  const begin = async () => {
    await server.start();
    socket = join(
      disk.path.slice(0, -disk.folder.length),
      server.endpoints.edgeSockets!['default']!,
    );
  };

  beforeAll(async () => {
    disk = await SmallDisk.open(join(folder, 'data'), DISK_BYTES);
    customer = await Customer.open(join(folder, 'bank'));
    server = new Server(folder, { disk, env: { KCM_LOG_LEVEL: 'warn' } });
    await begin();
    acme = await onboard(server, customer, 'acme', 'default');
    await until('record', async () => {
      const answer = await askEdge(socket, '/v1/tenants/acme/encrypt', { plaintext: PLAINTEXT });
      ciphertext = answer.body['ciphertext'] as string;
      return answer.status === 200;
    });
  }, 60_000);
  afterAll(async () => {
    await server.kill();
    await disk.close();
    await customer.close();
    removeFolder(folder);
  });

  it('refuses every command, serves reads and leases, loses nothing, and goes on by itself', async () => {
    const token = acme.anna;
    const services = '/v1/tenants/acme/services';
    for (let cycle = 0; cycle < FIGURES.fullDisks; cycle += 1) {
      // A key that is being made when the room ends.
      const mapped = await ask('POST', services, { token, body: { id: `s-${cycle}` } });
      expect(mapped.status).toBeLessThan(300);
      disk.fill();
      expect(await opens()).toBeNull();
      await refused(async (attempt) => {
        const id = `t-${cycle}-${attempt}`;
        const answer = await register(id);
        if (answer.status < 300) known.add(id);
        return answer;
      });
      await refused((attempt) =>
        ask('POST', services, { token, body: { id: `r-${cycle}-${attempt}` } }),
      );
      await refused(issue);
      await until('word of it in /readyz', async () => {
        disk.fill();
        return (await ledgerReasons()).includes('ledger_full');
      });
      expect((await ask('GET', '/v1/tenants')).status).toBe(200);
      expect((await ask('GET', `/v1/tenants/acme/keys`, { token })).status).toBe(200);
      disk.relieve();
      const id = `late-${cycle}`;
      await until('registration', async () => (await register(id)).status < 300);
      known.add(id);
      await until('readiness', async () => (await ledgerReasons()).length === 0);
      await until('record that opens', async () => (await opens()) === null);
      await until('key', async () => {
        const at = `${services}/s-${cycle}`;
        return ((await ask('GET', at, { token })).body['key'] ?? null) !== null;
      });
    }
    await server.kill();
    await begin();
    expect((await tenants()).toSorted()).toEqual([...known].toSorted());
    await until('record that opens', async () => (await opens()) === null);
  }, 600_000);

  it('serves a lease to its end and no longer, and again when there is room', async () => {
    await until('record that opens', async () => (await opens()) === null);
    disk.fill();
    const filledAt = performance.now();
    let servedAt = filledAt;
    await until('refusal', async () => {
      disk.fill();
      const code = await opens();
      if (code === null) servedAt = performance.now();
      // On a machine that stands still the lease may end before anybody was asked for another one.
      expect([null, 'ledger_unavailable', 'lease_expired']).toContain(code);
      return code !== null;
    });
    expect(servedAt).toBeGreaterThan(filledAt);
    expect(servedAt - filledAt).toBeLessThan(BOUND_MS);
    disk.relieve();
    await until('record that opens', async () => (await opens()) === null);
  }, 60_000);

  it('takes a lock at once, tells so, and records it when there is room', async () => {
    await until('record that opens', async () => (await opens()) === null);
    const relax = disk.keepFull();
    for (let left = 3; left > 0; left -= 1) await refused(issue);
    const path = '/v1/tenants/acme/revocations';
    const lock = () =>
      ask('POST', path, {
        token: acme.anna,
        body: { kind: 'suspend', scope: { all: true }, reason: { code: 'incident' } },
        headers: { 'idempotency-key': 'lock' },
      });
    const answer = await lock();
    expect(answer.body).toMatchObject({
      status: 503,
      code: 'ledger_unavailable',
      detail: expect.stringContaining('The lock acts already') as string,
    });
    await until('refusal', async () => (await opens()) === 'tenant_suspended');
    await until('word of it in /readyz', async () =>
      (await ledgerReasons()).includes('acts_unrecorded'),
    );
    relax();
    disk.relieve();
    await until('readiness', async () => (await ledgerReasons()).length === 0);
    expect(server.tail()).toContain('recorded now');
    let id = '';
    await until('record of the lock', async () => {
      const list = await server.must<{ items: { id: string }[] }>('GET', path, {
        token: acme.boris,
      });
      id = list.items[0]?.id ?? '';
      return list.items.length > 0;
    });
    expect((await lock()).body).toMatchObject({ id, stage: 'locked' });
    expect(await opens()).toBe('tenant_suspended');
    await server.must('POST', `${path}/${id}/release`, { token: acme.boris, body: {} });
    await until('record that opens', async () => (await opens()) === null);
  }, 60_000);

  it('takes the platform’s block at once; unrecorded it ends with the process, which says so', async () => {
    await until('record that opens', async () => (await opens()) === null);
    const relax = disk.keepFull();
    for (let left = 3; left > 0; left -= 1) await refused(issue);
    const block = await ask('POST', '/v1/tenants/acme/block', { body: {} });
    expect(block.body).toMatchObject({
      status: 503,
      detail: expect.stringContaining('The lock acts already') as string,
    });
    await until('refusal', async () => (await opens()) === 'tenant_blocked');
    await server.stop();
    expect(server.tail()).toContain('ends with this process');
    expect(server.tail()).toContain('lock blocked');
    relax();
    disk.relieve();
    await begin();
    await until('record that opens', async () => (await opens()) === null);
  }, 60_000);

  it('seals at once, records it when there is room, and ends in order though there is none', async () => {
    const relax = disk.keepFull();
    // The second refusal finds a log that the first has emptied: now nothing fits any more.
    for (let left = 3; left > 0; left -= 1) await refused(issue);
    const headers = { 'idempotency-key': 'seal' };
    const sealed = await ask('POST', '/v1/sys/seal', { headers });
    expect(sealed.status).toBe(200);
    expect(sealed.body).toMatchObject({ sealed: true });
    // Mostly none: a log that has begun anew may still have had room for one.
    say(`${await seals()} seals recorded on the full disk`);
    relax();
    disk.relieve();
    // A copy of files that are being written may be no ledger at all.
    await until('record of the seal', async () => (await seals().catch(() => 0)) === 1);
    disk.fill();
    await server.stop();
    expect(server.running).toBe(false);
    disk.relieve();
    expect(await seals()).toBe(1);
    expect(faultsOf(await held(), [])).toEqual([]);
  }, 60_000);
});
