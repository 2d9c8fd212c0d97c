import { jest } from '@jest/globals';
import {
  type EdgeClient,
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  type RevocationView,
  type Sample,
  Stage,
  SteadyLoad,
  type Tenant,
  until,
} from '../support/index.js';
import { materialOf } from '../crash/material.js';

jest.setTimeout(60_000);

interface KeyView {
  readonly id: string;
  readonly level: 'L2' | 'L3';
  readonly versions: readonly {
    readonly version: number;
    readonly state: string;
    readonly wrappedBy: { readonly id: string; readonly version: string };
  }[];
}

describe('Rotation of the tenant key and of a service key, under load', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let client: EdgeClient;
  let acme: Tenant;
  let l2: string;
  const records: Sample[] = [];

  const keysOf = () => acme.auditor.list<KeyView>(`${acme.path}/keys`);
  const rotate = (key: string) => acme.anna.command<KeyView>(`${acme.path}/keys/${key}/rotate`);
  /** Resolves when every version of every L3 hangs from this version of the L2. */
  const allUnder = (version: string): Promise<true> =>
    until(`every L3 under version ${version}`, 10_000, async () => {
      const children = (await keysOf()).filter(({ level }) => level === 'L3');
      const parents = children.flatMap(({ versions }) => versions.map((one) => one.wrappedBy));
      return parents.every((by) => by.id === l2 && by.version === version) || null;
    });

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing', 'archive']);
    client = edge.client('billing');
    acme = await onboard(region, keystore, 'acme', { services: ['billing', 'archive'] });
    l2 = (await keysOf()).find(({ level }) => level === 'L2')!.id;
    records.push(await client.sample('acme', 'a record of before'));
  });
  afterAll(() => stage.close());

  it('costs no call, and every L3 version ends under the new L2', async () => {
    const load = new SteadyLoad(stage, client, [...records]);
    await load.more(150);
    const rotated = await rotate(l2);
    expect(rotated.versions.map(({ version, state }) => `${version} ${state}`)).toEqual([
      '1 deactivated',
      '2 active',
    ]);
    await allUnder('2');
    await load.more(150);
    await rotate(acme.l3['billing']!);
    await until('use of the new version', 10_000, () => load.newest === 2 || null);
    records.push(await client.sample('acme', 'a record under version 2'));
    // Two at once: the one waits for the other, and nothing is left under an earlier version.
    await Promise.all([rotate(l2), rotate(acme.l3['billing']!)]);
    await allUnder('3');
    await until('use of the newest version', 10_000, () => load.newest === 3 || null);
    await load.more(150);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.done).toBeGreaterThan(400);
  });

  it('every record opens after a restart of everything, by one unwrap', async () => {
    await Promise.all([edge.stop(), region.stop()]);
    const asked = () =>
      keystore.calls(acme.key).filter(({ operation }) => operation === 'unwrap').length;
    const before = asked();
    await region.start();
    await edge.restart();
    client = edge.client('billing');
    for (const record of records)
      await until('a record of before the restart', 15_000, async () =>
        (await client.opens(record)) === true ? true : null,
      );
    expect(asked() - before).toBe(1);
    expect(await client.encrypt('acme', 'anew')).toMatchObject({ keyVersion: 3, code: null });
  });

  it('a shred leaves nothing of any version', async () => {
    await rotate(l2);
    const kill = { kind: 'kill', scope: { all: true }, reason: { code: 'end' } };
    const { id } = await acme.anna.command<RevocationView>(`${acme.path}/revocations`, kill);
    await acme.boris.command(`${acme.path}/revocations/${id}/shred`);
    await until('the shred', 15_000, async () => {
      const { stage: at } = await acme.auditor.read<RevocationView>(
        `${acme.path}/revocations/${id}`,
      );
      return at === 'shredded' || null;
    });
    expect(materialOf(region.data, 'acme')).toEqual({ erasureKeys: 0, blobs: 0 });
    for (const record of records) expect(await client.opens(record)).toBe('tenant_killed');
  });
});
