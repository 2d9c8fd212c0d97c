import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { jest } from '@jest/globals';
import {
  type Api,
  BOUND_MS,
  EdgeProcess,
  type Fetched,
  inTheLog,
  Keystore,
  onboard,
  receiptOf,
  Region,
  type RevocationView,
  type Sample,
  Stage,
  type Tenant,
  trustOf,
  unnoticedChanges,
  until,
  verifies,
  verifyApart,
  Workload,
} from '../support/index.js';

jest.setTimeout(90_000);

/** All that an insider copies: everything but the erasure store. */
const BACKED_UP = ['ledger.db', 'vault.db', 'directory.db'];
const ERASURE = 'erasure.db';
const ALL = { all: true } as const;

const lock = (who: Api, tenant: Tenant, kind: 'suspend' | 'kill', scope: object = ALL) =>
  who.command<RevocationView>(`${tenant.path}/revocations`, {
    kind,
    scope,
    reason: { code: 'incident', text: 'a reason in words' },
  });

describe('People of the customer end access', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let cutOff: EdgeProcess;
  let neighbour: Tenant;
  let opensStill: Sample;

  const copyOf = async (name: string, to: string): Promise<void> => {
    const database = new DatabaseSync(join(region.data, name), { readOnly: true });
    try {
      await backup(database, to);
    } finally {
      database.close();
    }
  };

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    [edge, cutOff] = await Promise.all([
      EdgeProcess.start(stage, region, 'edge-1', ['billing', 'archive']),
      EdgeProcess.start(stage, region, 'edge-2', ['billing']),
    ]);
    neighbour = await onboard(region, keystore, 'neighbour');
    opensStill = await edge.client('billing').sample('neighbour', 'a record of the neighbour');
  });
  afterAll(() => stage.close());

  const working = async (tenant: Tenant, service = 'billing', at = edge): Promise<Workload> => {
    const workload = await Workload.of(stage, at.client(service), tenant.id);
    await workload.untilServed(5_000);
    return workload;
  };

  /** Verified by another program, by no other key, and by no other byte. */
  const standsByItself = async (tenant: Tenant, { jws, said }: Fetched): Promise<void> => {
    const trust = await trustOf(tenant);
    const verified = await verifyApart(stage, `${tenant.id}-${said.kind}`, jws, trust);
    expect({ code: verified.code, stderr: verified.stderr }).toEqual({ code: 0, stderr: '' });
    await inTheLog(tenant, said);
    expect(unnoticedChanges(jws, trust)).toEqual([]);
    const stranger = { ...trust.signing, x: Buffer.alloc(32, 7).toString('base64url') };
    expect(verifies(jws, { ...trust, signing: stranger })).toBe(false);
  };

  describe('suspend', () => {
    let whole: Tenant;
    let partly: Tenant;

    beforeAll(async () => {
      [whole, partly] = await Promise.all([
        onboard(region, keystore, 'whole'),
        onboard(region, keystore, 'partly', { services: ['billing', 'archive'] }),
      ]);
    });

    it('closes a tenant at once; another person lifts it without loss', async () => {
      const [workload, silent] = [await working(whole), await working(whole, 'billing', cutOff)];
      cutOff.wire.cut();
      const taken = await lock(whole.anna, whole, 'suspend');
      await workload.untilRefused(BOUND_MS);
      expect(workload.codes).toEqual(['tenant_suspended', 'tenant_suspended']);
      expect(workload.encrypts.status).toBe(403);
      const release = `${whole.path}/revocations/${taken.id}/release`;
      expect(await whole.anna.post(release)).toMatchObject({ status: 403, code: 'forbidden' });
      const byOperator = await region.operator.post(release);
      expect(byOperator).toMatchObject({ status: 403, code: 'forbidden' });
      expect(workload.encrypts.refusedAt).not.toBeNull();

      // An Edge that hears nothing stops by itself, and the receipt waits for that.
      await silent.untilRefused(BOUND_MS);
      expect(silent.lastServedAt).toBeLessThanOrEqual(Date.parse(taken.hardBound));
      const receipt = await receiptOf(whole, taken.id, 'locked');
      expect(receipt.said).toMatchObject({
        revocation: { kind: 'suspend', scope: 'all', cause: 'incident', id: taken.id },
        probe: null,
        shred: null,
      });
      const holders = new Map(receipt.said.holders.map((each) => [each.id, each]));
      expect(holders.get('edge:edge-1')).toMatchObject({
        refusedAt: expect.any(String),
        erasedAt: expect.any(String),
      });
      const quiet = holders.get('edge:edge-2')!;
      expect(quiet).toMatchObject({ refusedAt: null, erasedAt: null, statement: null });
      expect(Date.parse(quiet.lastGrantEnds!)).toBeLessThanOrEqual(Date.parse(taken.hardBound));
      await standsByItself(whole, receipt);

      cutOff.wire.heal();
      await silent.untilRefused(BOUND_MS);
      await whole.boris.command(release);
      await Promise.all([workload.untilServed(15_000), silent.untilServed(15_000)]);
      await Promise.all([workload.stop(), silent.stop()]);
      expect(await whole.boris.post(release)).toMatchObject({ status: 409, code: 'wrong_state' });
    });

    it('closes one service and leaves the other alone', async () => {
      const [billing, archive] = [await working(partly), await working(partly, 'archive')];
      const taken = await lock(partly.anna, partly, 'suspend', { service: 'billing' });
      await billing.untilRefused(BOUND_MS);
      expect(billing.codes).toEqual(['tenant_suspended', 'tenant_suspended']);
      const [encrypted, refusedBefore] = [archive.encrypts.served, archive.encrypts.refused];
      await archive.untilServed(5_000);
      expect(archive.encrypts.served).toBeGreaterThan(encrypted);
      await partly.boris.command(`${partly.path}/revocations/${taken.id}/release`);
      await billing.untilServed(15_000);
      await Promise.all([billing.stop(), archive.stop()]);
      expect([archive.encrypts.refused, archive.decrypts.refused]).toEqual([refusedBefore, 0]);
      expect(refusedBefore).toBe(0);
    });

    it('names a service that is not there, and refuses to kill one service alone', async () => {
      const path = `${partly.path}/revocations`;
      const body = { kind: 'suspend', scope: { service: 'none' }, reason: { code: 'incident' } };
      expect(await partly.anna.post(path, body)).toMatchObject({ status: 404, code: 'not_found' });
      const kill = { ...body, kind: 'kill', scope: { service: 'billing' } };
      const refused = await partly.anna.post(path, kill);
      expect(refused).toMatchObject({ status: 400, code: 'invalid_request' });
    });

    it('revocations are listed newest first, and a cursor goes on where it was', async () => {
      const path = `${partly.path}/revocations`;
      type Listed = { items: RevocationView[]; nextCursor: string | null };
      const page = (cursor: string | null) =>
        partly.anna.read<Listed>(`${path}?limit=1${cursor === null ? '' : `&cursor=${cursor}`}`);
      const first = (await partly.anna.list<RevocationView>(path)).at(-1)!;
      const taken: string[] = [first.id];
      for (const service of ['billing', 'archive'])
        taken.push((await lock(partly.anna, partly, 'suspend', { service })).id);
      const newest = await page(null);
      const later = await lock(partly.anna, partly, 'suspend');
      const older = await page(newest.nextCursor);
      const oldest = await page(older.nextCursor);
      const paged = [newest, older, oldest].flatMap(({ items }) => items.map(({ id }) => id));
      expect(paged).toEqual(taken.toReversed());
      expect(oldest.nextCursor).toBeNull();
      const all = await partly.anna.list<RevocationView>(path);
      expect(all.map(({ id }) => id)).toEqual([later.id, ...paged]);
      const standing = all.filter(({ stage }) => stage === 'locked');
      for (const { id } of standing) await partly.boris.command(`${path}/${id}/release`);
    });
  });

  describe('kill', () => {
    let acme: Tenant;
    let workload: Workload;
    let taken: RevocationView;
    let path: string;
    let held: Tenant;

    beforeAll(async () => {
      acme = await onboard(region, keystore, 'acme');
      workload = await working(acme);
      mkdirSync(stage.path('backup'), { mode: 0o700 });
      for (const name of BACKED_UP) await copyOf(name, stage.path('backup', name));
      taken = await lock(acme.anna, acme, 'kill');
      path = `${acme.path}/revocations/${taken.id}`;
    });

    it('one person locks: every holder refuses at once', async () => {
      await workload.untilRefused(BOUND_MS);
      expect(workload.codes).toEqual(['tenant_killed', 'tenant_killed']);
      expect([workload.encrypts.status, workload.decrypts.status]).toEqual([403, 403]);
    });

    it('nobody undoes it alone, and who locked does not shred', async () => {
      const { anna, boris } = acme;
      const forbidden = { status: 403, code: 'forbidden' };
      expect(await anna.post(`${path}/shred`)).toMatchObject(forbidden);
      expect(await region.operator.post(`${path}/release`)).toMatchObject(forbidden);
      expect(await region.operator.post(`${path}/shred`)).toMatchObject(forbidden);
      expect(await acme.auditor.post(`${path}/shred`)).toMatchObject(forbidden);
      const alone = { status: 403, code: 'approval_required' };
      expect(await boris.post(`${path}/release`)).toMatchObject(alone);
      expect(await anna.post(`${path}/release`)).toMatchObject(alone);
      expect((await boris.read<RevocationView>(path)).stage).toBe('locked');
    });

    it('the policy stands as it was when the tenant was killed', async () => {
      const { policy } = await acme.anna.read<{ policy: object }>(acme.path);
      const changed = await acme.anna.call('PUT', `${acme.path}/policy`, { leaseSeconds: 300 });
      expect(changed).toMatchObject({ status: 403, code: 'tenant_killed' });
      expect(await acme.anna.read(acme.path)).toMatchObject({ policy });
    });

    it('the receipt of the lock says that it is one, and by whom it was felt', async () => {
      const receipt = await receiptOf(acme, taken.id, 'locked');
      expect(receipt.said).toMatchObject({
        revocation: { kind: 'kill', scope: 'all', id: taken.id },
        shred: null,
        fourEyes: expect.stringContaining('local issuer'),
        holders: [
          { id: 'edge:edge-1', refusedAt: expect.any(String), erasedAt: expect.any(String) },
        ],
      });
      await standsByItself(acme, receipt);
    });

    it('a second person shreds: the receipt counts what is gone, in the word true here', async () => {
      await acme.boris.command(`${path}/shred`);
      await until('the shred', 15_000, async () => {
        const { stage: at } = await acme.auditor.read<RevocationView>(path);
        return at === 'shredded' || null;
      });
      const receipt = await receiptOf(acme, taken.id, 'shredded');
      const { said } = receipt;
      expect(said.shred).toMatchObject({
        erasureKeys: 1,
        word: 'recoverable from a disk image',
        requestedBy: expect.any(String),
      });
      expect(said.shred!.requestedBy).not.toBe(said.revocation.lockedBy);
      // At least the wrapped L2, the wrapped L3 and the keystore's credentials.
      expect(said.shred!.blobs).toBeGreaterThanOrEqual(3);
      expect(said.events.map(({ type }) => type)).toEqual([
        'RevocationLocked',
        'RevocationShredRequested',
        'MaterialShredded',
        'RevocationShredded',
      ]);
      await standsByItself(acme, receipt);
      await workload.stop();
    });

    /** Four doors, all shut. */
    const nothingOpens = async (client: ReturnType<EdgeProcess['client']>): Promise<void> => {
      const { anna } = acme;
      expect(await client.decrypt('acme', workload.sample.ciphertext)).toMatchObject({
        status: 403,
        code: 'tenant_killed',
      });
      expect(await client.encrypt('acme', 'anew')).toMatchObject({
        status: 403,
        code: 'tenant_killed',
      });
      const rotated = await anna.post(`${acme.path}/keys/${acme.l3['billing']}/rotate`);
      expect(rotated).toMatchObject({ status: 409, code: 'wrong_state' });
      const mapped = await anna.post(`${acme.path}/services`, { id: 'archive' });
      expect(mapped).toMatchObject({ status: 403, code: 'tenant_killed' });
    };

    it('a restart, the key enabled all along: nothing opens', async () => {
      held = await onboard(region, keystore, 'held', { leaseSeconds: 60 });
      await edge.client('billing').sample('held', 'a record under a long lease');
      await region.stop();
      await region.start();
      await edge.connected();
      expect(await edge.client('billing').opens(opensStill)).toBe(true);
      await nothingOpens(edge.client('billing'));
      expect(keystore.calls(acme.key).at(-1)?.outcome).toBe('ok');
    });

    it('an Edge is told of a lock on what an earlier boot of Core granted to it', async () => {
      const taken = await lock(held.anna, held, 'suspend');
      // It made no request since the restart: its word answers a notice.
      const { holders } = await until('the word of the Edge', 10_000, async () => {
        const seen = await held.auditor.read<RevocationView>(
          `${held.path}/revocations/${taken.id}`,
        );
        return seen.holders.some(({ refusedAt }) => refusedAt !== null) ? seen : null;
      });
      expect(holders).toMatchObject([{ id: 'edge:edge-1', erasedAt: expect.any(String) }]);
    });

    it('read models rebuilt from the first event equal the live ones, and nothing opens', async () => {
      const digests = await region.kcm('projection', 'digest', '--json');
      const names = (JSON.parse(digests.stdout) as { name: string }[]).map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['tenant-keys', 'audit', 'leases']));
      for (const name of names) {
        const { stdout, stderr } = await region.kcm('projection', 'rebuild', name, '--json');
        expect({ name, stderr }).toEqual({ name, stderr: '' });
        expect(JSON.parse(stdout)).toMatchObject({ name, equal: true });
      }
      await nothingOpens(edge.client('billing'));
    });

    it('copies of ledger and vault from before the shred know of no kill, and open nothing', async () => {
      const old = new Region(stage, { folder: 'old', services: 'billing' });
      mkdirSync(old.data, { mode: 0o700 });
      for (const name of BACKED_UP) copyFileSync(stage.path('backup', name), join(old.data, name));
      await copyOf(ERASURE, join(old.data, ERASURE));
      copyFileSync(join(region.data, 'unseal-key'), join(old.data, 'unseal-key'));
      await old.start();
      const client = old.edge('billing');
      // The control: the copies are whole, and the other tenant opens from them.
      await until('the neighbour', 20_000, async () =>
        (await client.opens(opensStill)) === true ? true : null,
      );
      const anna = await old.person('acme', 'anna', 'tenant-admin', 'key-admin');
      const { access } = await anna.read<{ access: { open: boolean } }>(acme.path);
      expect(access.open).toBe(true);

      const opened = await client.decrypt('acme', workload.sample.ciphertext);
      expect(opened).toMatchObject({ status: 503, code: 'integrity' });
      expect(opened.plaintext).toBeUndefined();
      const encrypted = await client.encrypt('acme', 'anew');
      expect(encrypted).toMatchObject({ status: opened.status, code: opened.code });
      expect(encrypted.ciphertext).toBeUndefined();

      // What is asked for is never done: no version of a key, and no key of a service, is made.
      const wait = { prefer: 'wait=1' };
      const keys = await anna.list<{ id: string; level: string }>(`${acme.path}/keys`);
      const l2 = keys.find(({ level }) => level === 'L2');
      const l3 = `${acme.path}/keys/${acme.l3['billing']}`;
      for (const key of [l3, `${acme.path}/keys/${l2!.id}`]) {
        const rotation = await anna.post<{ code: string }>(`${key}/rotate`, {});
        expect([rotation.status, rotation.code]).toEqual([503, 'integrity']);
        const after = await anna.read<{ state: string; versions: object[] }>(key);
        expect(after).toMatchObject({ state: 'active', versions: [{ version: 1 }] });
      }
      await anna.post(`${acme.path}/services`, { id: 'archive' }, wait);
      expect(await anna.read(`${acme.path}/services/archive`)).toMatchObject({ key: null });
      await old.stop();
    });
  });

  it('the neighbour was served through all of it', async () => {
    expect(await edge.client('billing').opens(opensStill)).toBe(true);
    const { access } = await neighbour.anna.read<{ access: { open: boolean } }>(neighbour.path);
    expect(access.open).toBe(true);
  });
});
