import { jest } from '@jest/globals';
import {
  BOUND_MS,
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

jest.setTimeout(90_000);

interface Key {
  readonly current: number;
  readonly versions: readonly { readonly version: number; readonly state: string }[];
}
interface Exposed {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
  readonly by: string;
  readonly uses: { readonly protected: number; readonly protectedInAll: number } | null;
}
interface Edge {
  readonly state: string;
  readonly compromised: { readonly exposed: { readonly versions: number } | null } | null;
}

describe('What is compromised', () => {
  const stage = new Stage();
  let region: Region;
  let [acme, bank]: [Tenant?, Tenant?] = [];
  let edges: readonly EdgeProcess[];
  let clients: readonly EdgeClient[];
  const [TAKEN, OTHER, CUT] = [0, 1, 2];
  const began = new Date(Date.now() - 1_000).toISOString();

  const keyOf = ({ auditor, path, l3 }: Tenant) =>
    auditor.read<Key>(`${path}/keys/${l3['billing']}`);
  const states = async (tenant: Tenant) =>
    (await keyOf(tenant)).versions.map(({ version, state }) => `${version} ${state}`);
  const rotatedTo = (tenant: Tenant, version: number) =>
    until(`version ${version}`, 10_000, async () =>
      (await keyOf(tenant)).current === version ? true : null,
    );
  const encryptsWith = (edge: number, tenant: Tenant, version: number) =>
    until(`use of version ${version}`, 5_000, async () => {
      const { keyVersion } = await clients[edge]!.encrypt(tenant.id, 'anew');
      return keyVersion === version ? true : null;
    });
  /** When it refused at last what it did before, in ms after `from`. */
  const refusedAfter = async (edge: number, sample: Sample, from: number) => {
    let served = 0;
    await until('its refusal', 2 * BOUND_MS, async () => {
      const at = performance.now();
      const { code } = await clients[edge]!.encrypt(sample.tenant, 'more');
      const opened = await clients[edge]!.opens(sample);
      if (code === null || opened === true) served = at;
      return code !== null && opened !== true ? true : null;
    });
    return served - from;
  };

  beforeAll(async () => {
    const [started, keystore] = await Promise.all([
      new Region(stage).start(),
      Keystore.start(stage),
    ]);
    region = started;
    const ids = ['edge-taken', 'edge-other', 'edge-cut'];
    edges = await Promise.all(ids.map((id) => EdgeProcess.start(stage, region, id, ['billing'])));
    clients = edges.map((edge) => edge.client('billing'));
    [acme, bank] = await Promise.all([
      onboard(region, keystore, 'acme'),
      onboard(region, keystore, 'bank'),
    ]);
  });
  afterAll(() => stage.close());

  it('an Edge: it is refused at once, each key that it held is replaced, and no other', async () => {
    const record = await clients[TAKEN]!.sample('acme', 'sealed by the Edge that is taken over');
    const others = await clients[OTHER]!.sample('bank', 'of a tenant that it never served');
    for (const edge of [OTHER, CUT]) expect(await clients[edge]!.opens(record)).toBe(true);
    edges[CUT]!.wire.cut();

    const wrong = (since: unknown) =>
      region.operator.post('/v1/edges/edge-taken/compromise', { since });
    const future = new Date(Date.now() + 3_600_000).toISOString();
    for (const since of [future, 'yesterday', undefined])
      expect(await wrong(since)).toMatchObject({ status: 400, code: 'invalid_request' });

    const from = performance.now();
    const told = await region.kcm('edge', 'compromise', 'edge-taken', '--since', began, '--json');
    expect(told.stderr).toBe('');
    expect(JSON.parse(told.stdout)).toMatchObject({ state: 'revoked' });
    await rotatedTo(acme!, 2);
    await encryptsWith(OTHER, acme!, 2);
    expect(await clients[OTHER]!.opens(record)).toBe('key_compromised');
    expect(await states(acme!)).toEqual(['1 compromised', '2 active']);

    expect(await states(bank!)).toEqual(['1 active']);
    expect(await clients[OTHER]!.opens(others)).toBe(true);
    const ended = await Promise.all([TAKEN, CUT].map((edge) => refusedAfter(edge, record, from)));
    for (const ms of ended) expect(ms).toBeLessThan(BOUND_MS);

    // Told again it is the same; the certificate stays refused.
    const again = await region.operator.command<Edge>('/v1/edges/edge-taken/compromise', {
      since: began,
    });
    expect(again.compromised?.exposed).toMatchObject({ versions: 1 });
    expect(await keyOf(acme!)).toMatchObject({ current: 2 });
    edges[CUT]!.wire.heal();
  });

  it('what may have been exposed is shown to the tenant and to the platform', async () => {
    const path = `${acme!.path}/keys/${acme!.l3['billing']}/exposures`;
    const shown = await acme!.auditor.list<Exposed>(path);
    expect(shown).toMatchObject([
      { tenant: 'acme', key: acme!.l3['billing'], version: 1, by: 'edge:edge-taken' },
    ]);
    expect(await region.operator.list('/v1/edges/edge-taken/exposures')).toEqual(shown);
    expect(await region.operator.list('/v1/edges/edge-other/exposures')).toEqual([]);
    expect(await acme!.auditor.get('/v1/edges/edge-taken/exposures')).toMatchObject({
      code: 'forbidden',
    });
  });

  it('a tenant key: it is replaced, and then every key under it; all goes on', async () => {
    const l2 = await until('the tenant key', 5_000, async () => {
      const keys = await acme!.auditor.list<{ id: string; level: string }>(`${acme!.path}/keys`);
      return keys.find(({ level }) => level === 'L2') ?? null;
    });
    const record = await clients[OTHER]!.sample('acme', 'before the tenant key is compromised');
    await acme!.anna.command(`${acme!.path}/keys/${l2.id}/compromise`, { since: began });
    await rotatedTo(acme!, 3);
    await encryptsWith(OTHER, acme!, 3);
    // Nobody was given the L2: what hangs from its versions opens.
    expect(await clients[OTHER]!.opens(record)).toBe(true);
    const key = await acme!.auditor.read<Key>(`${acme!.path}/keys/${l2.id}`);
    expect(key.versions.map(({ state }) => state)).toEqual(['compromised', 'active']);
    const path = `${acme!.path}/keys/${acme!.l3['billing']}/exposures`;
    const by = await until('what may have been exposed', 10_000, async () => {
      const found = (await acme!.auditor.list<Exposed>(path)).filter((each) =>
        each.by.startsWith('key:'),
      );
      return found.length > 0 ? found : null;
    });
    expect(by.map(({ version }) => version).toSorted((a, b) => a - b)).toEqual([1, 2]);
  });

  it('a service key, by its own admin: refused everywhere within the bound', async () => {
    const record = await clients[OTHER]!.sample('bank', 'before the key is compromised');
    const held = await clients[CUT]!.sample('bank', 'at the Edge that is cut off');
    edges[CUT]!.wire.cut();
    const from = performance.now();
    const path = `${bank!.path}/keys/${bank!.l3['billing']}`;
    await bank!.anna.command(`${path}/compromise`, { since: began });
    await rotatedTo(bank!, 2);
    await encryptsWith(OTHER, bank!, 2);
    expect(await clients[OTHER]!.opens(record)).toBe('key_compromised');
    expect(await refusedAfter(CUT, held, from)).toBeLessThan(BOUND_MS);
    edges[CUT]!.wire.heal();
    const shown = await until('what may have been exposed', 10_000, async () => {
      const found = await bank!.auditor.list<Exposed>(`${path}/exposures`);
      return found.length > 0 ? found : null;
    });
    expect(shown).toMatchObject([{ version: 1, by: `key:${bank!.l3['billing']}` }]);
  });
});
