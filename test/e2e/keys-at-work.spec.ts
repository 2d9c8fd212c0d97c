import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import {
  type Api,
  type EdgeClient,
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  type Sample,
  Stage,
  type Tenant,
  until,
} from '../support/index.js';

jest.setTimeout(60_000);

const WORKERS = 4;
const CALLS_BETWEEN = 300;
interface Item {
  readonly position: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly resource: string;
  readonly outcome: string;
  readonly code?: string;
  readonly correlationId: string;
  readonly callId?: string;
  readonly providerRequestId?: string;
}
interface Key {
  readonly versions: readonly { readonly version: number; readonly state: string }[];
}

/** Callers that go on without a pause: encrypt, open that, open an old record. */
class Load {
  done = 0;
  newest = 0;
  readonly failures: string[] = [];
  #stopped = false;
  readonly #workers: readonly Promise<void>[];

  constructor(
    stage: Stage,
    private readonly edge: EdgeClient,
    private readonly old: Sample,
  ) {
    this.#workers = Array.from({ length: WORKERS }, () => this.#work());
    stage.atEnd(() => (this.#stopped = true));
  }

  async more(calls: number): Promise<void> {
    const goal = this.done + calls;
    await until('the load', 20_000, () => this.done >= goal || null);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    const { tenant, plaintext } = this.old;
    while (!this.#stopped) {
      const { ciphertext, keyVersion = 0, code } = await this.edge.encrypt(tenant, plaintext);
      this.newest = Math.max(this.newest, keyVersion);
      if (ciphertext === undefined) this.failures.push(`encrypt: ${code}`);
      else this.#note('decrypt', await this.edge.opens({ tenant, plaintext, ciphertext }));
      this.#note('decrypt of an old record', await this.edge.opens(this.old));
      this.done += 3;
    }
  }

  #note(what: string, outcome: true | string): void {
    if (outcome !== true) this.failures.push(`${what}: ${outcome}`);
  }
}

describe('Keys at work', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let client: EdgeClient;
  let acme: Tenant;
  let old: Sample;

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing']);
    client = edge.client('billing');
    acme = await onboard(region, keystore, 'acme');
    old = await client.sample('acme', 'a record under version 1');
  });
  afterAll(() => stage.close());

  it('rotates by command under load: no call fails, new use is new, old records open', async () => {
    const load = new Load(stage, client, old);
    const path = `${acme.path}/keys/${acme.l3['billing']}`;
    for (const version of [2, 3]) {
      await load.more(CALLS_BETWEEN);
      const key = await acme.anna.command<Key>(`${path}/rotate`);
      expect(key.versions.map((each) => each.version)).toContain(version);
      await until(`use of version ${version}`, 10_000, () => load.newest >= version || null);
      await load.more(CALLS_BETWEEN);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    const { versions } = await acme.auditor.read<Key>(path);
    expect(versions.map(({ version, state }) => `${version} ${state}`)).toEqual([
      '1 deactivated',
      '2 deactivated',
      '3 active',
    ]);
    expect(await client.encrypt('acme', 'anew')).toMatchObject({ keyVersion: 3, code: null });
    expect(await client.opens(old)).toBe(true);
  });

  it('an Edge leaves nothing on disk, and a restart is cold', async () => {
    const files = readdirSync(edge.data, { recursive: true })
      .map(String)
      .filter((name) => !statSync(join(edge.data, name)).isDirectory());
    expect(files.sort()).toEqual([join('edge', 'billing.sock'), 'endpoints.json']);
    expect((await client.status()).leases).not.toEqual([]);

    edge.wire.cut();
    expect(await client.opens(old)).toBe(true);
    await edge.restart(true);
    const cold = edge.client('billing');
    expect((await cold.status()).leases).toEqual([]);
    expect(await cold.decrypt('acme', old.ciphertext)).toMatchObject({
      status: 503,
      code: 'lease_expired',
    });
    edge.wire.heal();
    await until('its way back', 15_000, async () =>
      (await cold.opens(old)) === true ? true : null,
    );
    await edge.stop();
    expect(readdirSync(edge.data, { recursive: true }).map(String)).toEqual(['edge']);
    await edge.restart();
    client = edge.client('billing');
  });

  it('a read with the token of a write sees it', async () => {
    for (let at = 0; at < 8; at += 1) {
      const id = `tenant-${at}`;
      const made = await region.operator.post('/v1/tenants', { id, name: id });
      const token = String(made.headers['kcm-token']);
      const list = await region.operator.get(`/v1/tenants/${id}`, { 'kcm-token': token });
      expect(list).toMatchObject({ status: 200, body: { id, state: 'registered' } });
      const active = await region.operator.post(`/v1/tenants/${id}/activate`);
      const seen = await region.operator.get(`/v1/tenants/${id}`, {
        'kcm-token': String(active.headers['kcm-token']),
      });
      expect(seen).toMatchObject({ status: 200, body: { state: 'active' } });
    }
  });

  it('a read that would wait for what no command has answered is refused at once', async () => {
    const made = await region.operator.post('/v1/tenants', { id: 'ahead', name: 'ahead' });
    const token = Buffer.from(String(made.headers['kcm-token']), 'base64url').toString('utf8');
    const [ledger] = JSON.parse(token) as [string, string];
    const ahead = Buffer.from(JSON.stringify([ledger, '9'.repeat(16)])).toString('base64url');
    const answer = await region.operator.get('/v1/tenants/ahead', { 'kcm-token': ahead });
    expect(answer).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  it('the audit shows each command once, accepted or refused, by its correlation id', async () => {
    const say = (who: Api, id: string, service: string, more = {}) =>
      who.post(
        `${acme.path}/services`,
        { id: service },
        { 'x-correlation-id': `c-${id}`, ...more },
      );
    const key = { 'idempotency-key': 'once' };
    const accepted = await say(acme.anna, 'accepted', 'archive');
    expect(accepted.headers['x-correlation-id']).toBe('c-accepted');
    const repeated = [
      await say(acme.anna, 'repeated', 'ledger', key),
      await say(acme.anna, 'repeated', 'ledger', key),
    ];
    expect(repeated.map(({ code }) => code)).toEqual([null, null]);
    expect(await say(acme.anna, 'wrong', 'archive')).toMatchObject({ code: 'already_exists' });
    expect(await say(acme.auditor, 'role', 'other')).toMatchObject({ code: 'forbidden' });

    const itemsOf = (id: string) =>
      acme.auditor.list<Item>(`${acme.path}/audit?correlationId=c-${id}`);
    const shown = async (id: string, count: number): Promise<Item[]> =>
      until(`audit of ${id}`, 10_000, async () => {
        const items = await itemsOf(id);
        return items.length >= count ? items : null;
      });
    const commands = (items: readonly Item[]) =>
      items.filter(({ actor }) => actor !== 'core' && !actor.startsWith('process:'));
    expect(commands(await shown('accepted', 1))).toMatchObject([
      { actor: 'anna', action: 'ServiceMapped', outcome: 'accepted' },
    ]);
    expect(commands(await shown('repeated', 1))).toMatchObject([
      { actor: 'anna', action: 'ServiceMapped', outcome: 'accepted' },
    ]);
    expect(await shown('wrong', 1)).toMatchObject([
      { actor: 'anna', outcome: 'refused', code: 'already_exists' },
    ]);
    expect(await shown('role', 1)).toMatchObject([
      { actor: 'ada', outcome: 'refused', code: 'forbidden' },
    ]);
    // The key that follows from it is found under the same correlation id.
    const all = await until('the key', 10_000, async () => {
      const items = await itemsOf('accepted');
      return items.some(({ action }) => action === 'KeyCreated') ? items : null;
    });
    expect(all.filter(({ action }) => action === 'KeyCreated')).toHaveLength(1);
  });

  it('the audit and the customer’s own file show the same calls, by the ids of both', async () => {
    const pairs = await until('the same calls', 15_000, async () => {
      const items = await acme.auditor.list<Item>(`${acme.path}/audit`);
      const ours = items
        .filter(({ action }) => action.startsWith('keystore.'))
        .map(({ action, callId, providerRequestId, outcome }) =>
          [action.split('.')[1], callId, providerRequestId, outcome].join(' '),
        );
      const theirs = keystore
        .calls(acme.key)
        .filter(({ operation }) => ['wrap', 'unwrap'].includes(operation))
        .map(({ operation, callId, requestId, outcome }) =>
          [operation, callId, requestId, outcome === 'ok' ? 'succeeded' : 'refused'].join(' '),
        );
      const used = ours.filter((each) => /^(wrap|unwrap) /.test(each));
      return used.length === theirs.length ? { ours: used, theirs } : null;
    });
    expect(pairs.ours.toSorted()).toEqual(pairs.theirs.toSorted());
    expect(new Set(pairs.ours).size).toBe(pairs.ours.length);
    expect(pairs.ours.length).toBeGreaterThan(3);
  });

  it('a read model rebuilt while events come in equals the live one by digest', async () => {
    const load = new Load(stage, client, old);
    for (const name of ['leases', 'audit', 'tenant-keys']) {
      const { stdout, stderr } = await region.kcm('projection', 'rebuild', name, '--json');
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toMatchObject({ name, equal: true });
      await load.more(100);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
  });
});
