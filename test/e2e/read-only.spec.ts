import { jest } from '@jest/globals';
import {
  type Api,
  BOUND_MS,
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  type RevocationView,
  Stage,
  type Tenant,
  until,
  Workload,
} from '../support/index.js';

jest.setTimeout(90_000);

const ALL = { all: true } as const;
type Kind = 'read-only' | 'suspend' | 'kill';
const lock = (who: Api, tenant: Tenant, kind: Kind, scope: object = ALL) =>
  who.command<RevocationView>(`${tenant.path}/revocations`, {
    kind,
    scope,
    reason: { code: 'migration' },
  });
const release = ({ path }: Tenant, { id }: RevocationView) => `${path}/revocations/${id}/release`;

describe('A read-only tenant', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let cutOff: EdgeProcess;

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    [edge, cutOff] = await Promise.all([
      EdgeProcess.start(stage, region, 'edge-1', ['billing', 'archive']),
      EdgeProcess.start(stage, region, 'edge-2', ['billing']),
    ]);
  });
  afterAll(() => stage.close());

  const working = async (tenant: Tenant, service = 'billing', at = edge): Promise<Workload> => {
    const workload = await Workload.of(stage, at.client(service), tenant.id);
    await workload.untilServed(5_000);
    return workload;
  };
  /** Encrypting refused; what is asked of decrypting is another matter. */
  const untilReadOnly = ({ encrypts, sample }: Workload, ms = BOUND_MS) =>
    until(`a read-only ${sample.tenant}`, ms, () => encrypts.refusedAt !== null || null);

  it('encrypts nothing and decrypts all; another person lifts it without loss', async () => {
    const whole = await onboard(region, keystore, 'whole', { services: ['billing', 'archive'] });
    const [heard, other, deaf] = await Promise.all([
      working(whole),
      working(whole, 'archive'),
      working(whole, 'billing', cutOff),
    ]);
    cutOff.wire.cut();
    const taken = await lock(whole.anna, whole, 'read-only');
    expect(taken).toMatchObject({ kind: 'read-only', stage: 'locked', receipt: null });
    await Promise.all([untilReadOnly(heard), untilReadOnly(other)]);
    for (const { encrypts } of [heard, other])
      expect([encrypts.code, encrypts.status]).toEqual(['tenant_read_only', 403]);
    const { access } = await whole.anna.read<{ access: object }>(whole.path);
    expect(access).toMatchObject({ open: false, locks: [{ kind: 'readOnly', scope: ALL }] });

    // One that hears nothing goes on to the end of its lease, and not longer.
    await deaf.untilRefused(BOUND_MS);
    expect(deaf.encrypts.lastServedAt).toBeGreaterThan(Date.parse(taken.startedAt));
    expect(deaf.lastServedAt).toBeLessThanOrEqual(Date.parse(taken.hardBound));
    const path = `${whole.path}/revocations/${taken.id}`;
    const { holders } = await whole.auditor.read<RevocationView>(path);
    expect(holders.find(({ id }) => id === 'edge:edge-1')).toMatchObject({
      refusedAt: expect.any(String),
      erasedAt: null,
    });
    cutOff.wire.heal();
    await until('a decrypt at the Edge that was cut off', BOUND_MS, () =>
      deaf.decrypts.refusedAt === null ? true : null,
    );
    await until(
      'a refusal by Core',
      BOUND_MS,
      () => deaf.encrypts.code === 'tenant_read_only' || null,
    );

    const lifts = release(whole, taken);
    expect(await whole.anna.post(lifts)).toMatchObject({ status: 403, code: 'forbidden' });
    const byOperator = await region.operator.post(lifts);
    expect(byOperator).toMatchObject({ status: 403, code: 'forbidden' });
    expect(heard.encrypts.refusedAt).not.toBeNull();
    await whole.boris.command(lifts);
    const all = [heard, other, deaf];
    await Promise.all(all.map((each) => each.untilServed(15_000)));
    await Promise.all(all.map((each) => each.stop()));
    expect([heard.decrypts.refused, other.decrypts.refused]).toEqual([0, 0]);
    expect(await whole.boris.post(lifts)).toMatchObject({ status: 409, code: 'wrong_state' });
    const receipt = await whole.auditor.call('GET', `${path}/receipt`, undefined);
    expect(receipt).toMatchObject({ status: 404, code: 'not_found' });
  });

  it('may be one service, whose keys are neither rotated nor made, and nobody else’s', async () => {
    const partly = await onboard(region, keystore, 'partly', { services: ['billing', 'archive'] });
    const [billing, archive] = [await working(partly), await working(partly, 'archive')];
    const taken = await lock(partly.anna, partly, 'read-only', { service: 'billing' });
    await untilReadOnly(billing);
    type Key = { id: string; service: string | null };
    const keys = await partly.anna.list<Key>(`${partly.path}/keys`);
    const rotation = (service: string) => {
      const { id } = keys.find((key) => key.service === service)!;
      return partly.anna.post(`${partly.path}/keys/${id}/rotate`);
    };
    const refused = await rotation('billing');
    expect(refused).toMatchObject({ status: 403, code: 'tenant_read_only' });
    expect((await rotation('archive')).status).toBe(200);
    const before = archive.encrypts.refused;
    await archive.untilServed(5_000);
    expect([archive.encrypts.refused, archive.decrypts.refused, before]).toEqual([0, 0, 0]);

    await partly.boris.command(release(partly, taken));
    await billing.untilServed(15_000);
    expect((await rotation('billing')).status).toBe(200);
    await Promise.all([billing.stop(), archive.stop()]);
    expect(billing.decrypts.refused).toBe(0);
  });

  it('is not for the platform to make, and yields to what ends all use', async () => {
    const held = await onboard(region, keystore, 'held');
    const workload = await working(held);
    const body = { kind: 'read-only', scope: ALL, reason: { code: 'migration' } };
    const byOperator = await region.operator.post(`${held.path}/revocations`, body);
    expect(byOperator).toMatchObject({ status: 403, code: 'forbidden' });

    const readOnly = await lock(held.anna, held, 'read-only');
    await untilReadOnly(workload);
    const again = await held.boris.post(`${held.path}/revocations`, body);
    expect(again).toMatchObject({ status: 409, code: 'wrong_state' });
    const suspended = await lock(held.anna, held, 'suspend');
    await workload.untilRefused(BOUND_MS);
    expect(workload.codes).toEqual(['tenant_suspended', 'tenant_suspended']);
    await held.boris.command(release(held, suspended));
    await until('decrypts', 15_000, () => (workload.decrypts.refusedAt === null ? true : null));
    await until('the read-only that was left', 5_000, () =>
      workload.encrypts.code === 'tenant_read_only' ? true : null,
    );

    await lock(held.anna, held, 'kill');
    await workload.untilRefused(BOUND_MS);
    expect(workload.codes).toEqual(['tenant_killed', 'tenant_killed']);
    const lifted = await held.boris.post(release(held, readOnly));
    expect(lifted).toMatchObject({ status: 403, code: 'tenant_killed' });
    await workload.stop();
    expect(workload.codes).toEqual(['tenant_killed', 'tenant_killed']);
  });
});
