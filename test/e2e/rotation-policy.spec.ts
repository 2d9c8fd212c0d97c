import { jest } from '@jest/globals';
import {
  type EdgeClient,
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  type Sample,
  Stage,
  SteadyLoad,
  type Tenant,
  until,
} from '../support/index.js';

jest.setTimeout(150_000);

interface VersionView {
  readonly version: number;
  readonly activatedAt: string;
  readonly wrappedBy: { readonly id: string; readonly version: string };
}
interface KeyView {
  readonly id: string;
  readonly level: 'L2' | 'L3';
  readonly rotatesAt: string | null;
  readonly rotatesFor: string | null;
  readonly versions: readonly VersionView[];
}
const AGE_SECONDS = 60;
const ms = Date.parse;

describe('Rotation by policy', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let client: EdgeClient;
  let acme: Tenant;
  let bank: Tenant;
  let old: readonly Sample[];

  const keyOf = ({ auditor, path }: Tenant, id: string) =>
    auditor.read<KeyView>(`${path}/keys/${id}`);
  const l3Of = (tenant: Tenant) => keyOf(tenant, tenant.l3['billing']!);
  const keysOf = ({ auditor, path }: Tenant) => auditor.list<KeyView>(`${path}/keys`);
  const l2Of = async (tenant: Tenant) =>
    (await keysOf(tenant)).find(({ level }) => level === 'L2')!;
  const policy = (tenant: Tenant, rotation: object) =>
    tenant.anna.call('PUT', `${tenant.path}/policy`, { rotation });
  const rotated = (tenant: Tenant): Promise<VersionView> =>
    until(`version 2 of ${tenant.id}`, 90_000, async () => {
      const { versions } = await l3Of(tenant);
      // Under load the next one may have taken over already.
      return versions.find(({ version }) => version === 2) ?? null;
    });

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    const edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing']);
    client = edge.client('billing');
    acme = await onboard(region, keystore, 'acme');
    bank = await onboard(region, keystore, 'bank');
    old = [await client.sample('acme', 'of before'), await client.sample('bank', 'of before')];
  });
  afterAll(() => stage.close());

  it('by uses and by age, under load: no call fails, use moves on, what is old opens', async () => {
    const never = { maxAgeSeconds: null, maxUses: null };
    await policy(acme, { L3: { ...never, maxUses: 1_000 } });
    await policy(bank, { L3: { ...never, maxAgeSeconds: AGE_SECONDS } });
    expect(await l3Of(acme)).toMatchObject({ rotatesAt: null, rotatesFor: null });
    const due = await l3Of(bank);
    const made = ms(due.versions[0]!.activatedAt);
    expect(due.rotatesFor).toBe('age');
    expect(ms(due.rotatesAt!)).toBeLessThan(made + AGE_SECONDS * 1_000);

    // Half of the calls encrypt for acme, the others open a record of bank.
    const load = new SteadyLoad(stage, client, old);
    const aged = rotated(bank);
    const used = await rotated(acme);
    await until('use of the new version', 10_000, () => load.newest >= 2 || null);
    expect(load.newestAt).toBeGreaterThanOrEqual(ms(used.activatedAt));
    expect(ms((await aged).activatedAt)).toBeLessThanOrEqual(made + AGE_SECONDS * 1_000);
    await load.more(100);
    await load.stop();
    expect(load.failures).toEqual([]);
    for (const record of old) expect(await client.opens(record)).toBe(true);
    expect(await client.encrypt('bank', 'anew')).toMatchObject({ code: null });
    const asked = await acme.auditor.list<{ actor: string; resource: string }>(
      `${acme.path}/audit?action=KeyRotationRequested`,
    );
    expect(new Set(asked.map(({ actor }) => actor))).toEqual(new Set(['process:rotation']));
  });

  it('an age out of its bounds is refused by its field', async () => {
    const answer = await policy(acme, { L3: { maxAgeSeconds: 59 }, L2: { maxUses: 999 } });
    expect(answer).toMatchObject({ status: 400, code: 'invalid_request' });
    const { errors } = answer.body as { errors: { path: string }[] };
    expect(errors.map(({ path }) => path).toSorted()).toEqual([
      'rotation.L2.maxUses',
      'rotation.L3.maxAgeSeconds',
    ]);
  });

  it('a new version of the root key gives the tenant a new L2 once; a probe that finds nothing new, nothing', async () => {
    const [root] = await acme.auditor.list<{ id: string }>(`${acme.path}/root-keys`);
    const probe = () => acme.anna.command(`${acme.path}/root-keys/${root!.id}/probe`);
    const seen = () =>
      acme.auditor.list<object>(`${acme.path}/audit?action=RootKeyVersionObserved`);
    await probe();
    expect(await seen()).toEqual([]);
    await keystore.act(acme.key, 'rotate');
    const wraps = () =>
      keystore.calls(acme.key).filter(({ operation }) => operation === 'wrap').length;
    const before = wraps();
    await probe();
    const { versions } = await until('an L2 under version 2', 15_000, async () => {
      const l2 = await l2Of(acme);
      return l2.versions.at(-1)!.wrappedBy.version === '2' ? l2 : null;
    });
    expect(versions).toHaveLength(2);
    await until('each L3 under the new L2', 15_000, async () => {
      const children = (await keysOf(acme)).filter(({ level }) => level === 'L3');
      const under = children.flatMap((each) => each.versions.map((one) => one.wrappedBy.version));
      return under.every((version) => version === '2') || null;
    });
    for (let at = 0; at < 2; at += 1) await probe();
    // One wrap of the new seed, and one of each probe.
    expect(wraps() - before).toBe(4);
    expect(await seen()).toHaveLength(1);
    expect((await l2Of(acme)).versions).toHaveLength(2);
    for (const record of old) expect(await client.opens(record)).toBe(true);
  });
});
