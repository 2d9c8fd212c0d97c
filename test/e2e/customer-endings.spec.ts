import { jest } from '@jest/globals';
import {
  BOUND_MS,
  EdgeProcess,
  type Fetched,
  inTheLog,
  Keystore,
  onboard,
  Proxy,
  receiptOf,
  Region,
  type RevocationView,
  revocationOf,
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

const OPENS_MS_MAX = 30_000;
type Verb = Parameters<Keystore['act']>[1];
interface Scene {
  readonly tenant: Tenant;
  readonly workload: Workload;
}
interface TenantView {
  readonly access: {
    readonly open: boolean;
    readonly locks: readonly { readonly kind: string; readonly cause: string }[];
  };
}

/**
 * The customer acts at its own keystore and tells nobody. All customers play at once, against one
 * server, one Edge and one keystore.
 */
describe('The customer takes its root key away at its own keystore', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let cutOff: EdgeProcess;
  let neighbour: Scene;
  let disabled: Promise<Ended>;
  let pending: Promise<Ended>;
  let destroyed: Promise<Ended>;
  let withdrawn: Promise<Ended>;
  let silent: Workload;
  let unreachable: Promise<void>;

  interface Ended extends Scene {
    readonly actedAt: number;
    readonly lastServedAt: number;
    readonly codes: readonly (string | null)[];
    readonly statuses: readonly number[];
    readonly locks: TenantView['access']['locks'];
    readonly revocation: RevocationView;
    readonly receipt: Fetched;
    /** The customer gives it back as soon as all this was seen. */
    readonly opens: Promise<void>;
  }

  const enter = async (id: string, url = keystore.url): Promise<Scene> => {
    const tenant = await onboard(region, keystore, id, { url });
    const client = edge.client('billing');
    const sample = await client.sample(id, `a record of ${id}`);
    return { tenant, workload: new Workload(stage, client, sample) };
  };

  /** The act; what a caller and an auditor see of it; then, if there is a way back, that. */
  const end = async (
    scene: Scene,
    kind: 'provider-denied' | 'l1-destroyed',
    act: () => Promise<void>,
    giveBack: Verb | null,
  ): Promise<Ended> => {
    const { tenant, workload } = scene;
    await workload.untilServed(5_000);
    await act();
    const actedAt = Date.now();
    await workload.untilRefused(2 * BOUND_MS);
    const revocation = await revocationOf(tenant, kind);
    const { access } = await tenant.anna.read<TenantView>(tenant.path);
    const { lastServedAt, codes, encrypts, decrypts } = workload;
    const statuses = [encrypts.status, decrypts.status];
    const opens = giveBack === null ? Promise.resolve() : reopen(scene, giveBack);
    opens.catch(() => undefined);
    const receipt = await receiptOf(tenant, revocation.id, kind);
    const seen = { actedAt, lastServedAt, codes, statuses, locks: access.locks };
    return { ...scene, ...seen, revocation, receipt, opens };
  };
  const reopen = async ({ tenant, workload }: Scene, verb: Verb): Promise<void> => {
    await keystore.act(tenant.key, verb);
    await workload.untilServed(OPENS_MS_MAX);
    await workload.stop();
  };

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    [edge, cutOff] = await Promise.all([
      EdgeProcess.start(stage, region, 'edge-1', ['billing']),
      EdgeProcess.start(stage, region, 'edge-2', ['billing']),
    ]);
    neighbour = await enter('neighbour');
    const act = (tenant: Tenant, verb: Verb, body?: object) => () =>
      keystore.act(tenant.key, verb, body);

    disabled = enter('disabled').then((scene) =>
      end(scene, 'provider-denied', act(scene.tenant, 'disable'), 'enable'),
    );
    pending = enter('pending').then((scene) =>
      end(scene, 'l1-destroyed', act(scene.tenant, 'delete', { days: 7 }), 'enable'),
    );
    destroyed = enter('destroyed').then((scene) =>
      end(scene, 'l1-destroyed', act(scene.tenant, 'delete', { immediate: true }), null),
    );
    withdrawn = enter('withdrawn').then(async (scene) => {
      silent = new Workload(stage, cutOff.client('billing'), scene.workload.sample);
      await silent.untilServed(5_000);
      const cutAndWithdraw = () => {
        cutOff.wire.cut();
        return keystore.act(scene.tenant.key, 'withdraw');
      };
      return end(scene, 'provider-denied', cutAndWithdraw, 'allow');
    });
    unreachable = playUnreachable();
    for (const play of [disabled, pending, destroyed, withdrawn, unreachable])
      play.catch(() => undefined);
  });
  afterAll(() => stage.close());

  const playUnreachable = async (): Promise<void> => {
    const line = await Proxy.listen(stage, () => keystore.address);
    const { tenant, workload } = await enter('unreachable', `http://${line.address}`);
    await workload.untilServed(5_000);
    line.cut();
    const cutAt = Date.now();
    await workload.untilRefused(2 * BOUND_MS);
    // Nobody said no: it served on, to the end of the lease that it had.
    expect(workload.lastServedAt).toBeGreaterThan(cutAt + 1_000);
    expect(workload.lastServedAt).toBeLessThanOrEqual(cutAt + BOUND_MS);
    for (const account of [workload.encrypts, workload.decrypts]) {
      expect(['lease_expired', 'root_key_unreachable']).toContain(account.code);
      expect(account.status).toBe(503);
    }
    const { access } = await tenant.anna.read<TenantView>(tenant.path);
    expect(access).toMatchObject({ open: true, locks: [] });
    line.heal();
    await workload.untilServed(OPENS_MS_MAX);
    await workload.stop();
  };

  const refusedWith = async (play: Promise<Ended>, code: string): Promise<void> => {
    const { lastServedAt, actedAt, locks, codes, statuses } = await play;
    expect(lastServedAt).toBeLessThanOrEqual(actedAt + BOUND_MS);
    expect(codes).toEqual([code, code]);
    expect(statuses).toEqual([403, 403]);
    expect(locks).toMatchObject([{ kind: 'providerDenied', cause: code }]);
  };

  it('disabled: refused within the lease and a second', () =>
    refusedWith(disabled, 'root_key_disabled'));

  it('deletion scheduled: refused within the lease and a second', () =>
    refusedWith(pending, 'root_key_pending_deletion'));

  it('deleted at once: refused within the lease and a second', () =>
    refusedWith(destroyed, 'root_key_not_found'));

  it('access withdrawn: refused within the lease and a second', () =>
    refusedWith(withdrawn, 'root_key_forbidden'));

  it('a keystore that does not answer: served to the end of the lease, and again afterwards', () =>
    unreachable);

  it('an Edge that is cut off refuses by itself when its last grant ends', async () => {
    const { actedAt } = await withdrawn;
    await silent.untilRefused(BOUND_MS);
    expect(silent.lastServedAt).toBeLessThanOrEqual(actedAt + BOUND_MS);
    expect(silent.codes).toEqual(['lease_expired', 'lease_expired']);
  });

  it('the receipt names the cut-off Edge as silent, with the end of its last grant', async () => {
    const { receipt } = await withdrawn;
    const { holders, revocation } = receipt.said;
    const [spoke, quiet] = ['edge:edge-1', 'edge:edge-2'].map((id) =>
      holders.find((each) => each.id === id),
    );
    expect(spoke?.statement).not.toBeNull();
    expect(quiet).toMatchObject({ refusedAt: null, erasedAt: null, statement: null });
    const ends = Date.parse(quiet!.lastGrantEnds!);
    expect(ends).toBeLessThanOrEqual(Date.parse(revocation.hardBound));
    expect(silent.lastServedAt).toBeLessThanOrEqual(ends + 1_000);
    // It waited for the silent one as long as that could serve.
    expect(Date.parse(receipt.said.issuedAt)).toBeGreaterThanOrEqual(
      Date.parse(revocation.hardBound),
    );
  });

  it.each([
    ['provider-denied', 'disable', () => disabled, 'root_key_disabled'],
    ['l1-destroyed', 'delete', () => destroyed, 'root_key_not_found'],
  ] as const)('a receipt %s (%s) stands by itself', async (kind, verb, play, code) => {
    const { tenant, receipt, revocation } = await play();
    const { jws, said } = receipt;
    const trust = await trustOf(tenant);
    const verified = await verifyApart(stage, tenant.id, jws, trust);
    expect({ code: verified.code, stderr: verified.stderr }).toEqual({ code: 0, stderr: '' });
    expect(verified.stdout).toContain('VERIFIED');

    expect(said).toMatchObject({
      kind,
      tenant: tenant.id,
      revocation: { id: revocation.id, cause: code, scope: 'all' },
      shred: null,
      fourEyes: null,
      exported: { keys: 0 },
      probe: { keystore: 'software', code },
    });
    // Every holder has refused, and its bytes are gone from memory after a real collection.
    expect(said.holders).toMatchObject([
      { id: 'edge:edge-1', refusedAt: expect.any(String), erasedAt: expect.any(String) },
    ]);
    const [holder] = said.holders;
    expect(Date.parse(holder!.erasedAt!)).toBeGreaterThanOrEqual(Date.parse(holder!.refusedAt!));
    // The customer finds the refused call in its own file.
    const { callId, providerRequestId } = said.probe!;
    const logged = keystore.calls(tenant.key).find((call) => call.callId === callId);
    expect(logged).toMatchObject({ operation: 'unwrap', requestId: providerRequestId });
    expect(logged?.outcome).toBe(verb === 'disable' ? 'key_disabled' : 'key_deleted');

    await inTheLog(tenant, said);
    expect(unnoticedChanges(jws, trust)).toEqual([]);
    const { x } = (await trustOf((await pending).tenant)).signing;
    expect(x).toBe(trust.signing.x);
    const stranger = { ...trust.signing, x: Buffer.alloc(32, 7).toString('base64url') };
    expect(verifies(jws, { ...trust, signing: stranger })).toBe(false);
    expect(verifies(jws, trust)).toBe(true);
  });

  it('what this set-up cannot show stands in the receipt', async () => {
    const { said } = (await disabled).receipt;
    expect(said.trialGrade.join('\n')).toMatch(/KCM_SEAL=auto[^]*share a disk[^]*trials only/);
    expect(said.doesNotClaim.join('\n')).toMatch(/plaintext[^]*exported[^]*memory[^]*modified/);
  });

  it.each([
    ['enables the key', () => disabled],
    ['takes the deletion back', () => pending],
    ['allows the access again', () => withdrawn],
  ] as const)('opens by itself when the customer %s', async (_, play) => {
    const { tenant, revocation, opens } = await play();
    await opens;
    const { access } = await tenant.anna.read<TenantView>(tenant.path);
    expect(access).toMatchObject({ open: true, locks: [] });
    await until('the release', 5_000, async () => {
      const { stage: at } = await revocationOf(tenant, revocation.kind);
      return at === 'released' || null;
    });
    // Nobody of ours had a hand in it.
    const items = await tenant.auditor.list<{ action: string; actor: string }>(
      `${tenant.path}/audit`,
    );
    expect(items.find(({ action }) => action === 'LockReleased')?.actor).toBe('keystore');
    const people = items.filter(({ actor }) => ['anna', 'boris'].includes(actor));
    expect(people.map(({ action }) => action)).toEqual([
      'RootKeyConnectionRequested',
      'ServiceMapped',
    ]);
  });

  it('what is deleted at the keystore stays refused', async () => {
    const { workload } = await destroyed;
    expect(workload.encrypts.refusedAt).not.toBeNull();
    await workload.stop();
    expect(workload.codes).toEqual(['root_key_not_found', 'root_key_not_found']);
  });

  it('another customer of the same keystore and the same Edge notices nothing', async () => {
    const { encrypts, decrypts } = await neighbour.workload.stop();
    expect(encrypts.served).toBeGreaterThan(50);
    expect([encrypts.refused, decrypts.refused]).toEqual([0, 0]);
  });
});
