import { mkdirSync, readFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import { type RunningOpenBao, startOpenBao } from '../../scripts/services/openbao.mjs';
import { type Api, Region, Stage, until } from '../support/index.js';

jest.setTimeout(180_000);

interface KeyView {
  readonly level: 'L2' | 'L3';
  readonly versions: readonly {
    readonly version: number;
    readonly wrappedBy: { readonly version: string };
  }[];
}
const PATH = '/v1/tenants/acme';
const KEY = 'acme-root';

describe('A key that its owner rotates at a real OpenBao', () => {
  const stage = new Stage();
  let server: RunningOpenBao;
  let region: Region;
  let anna: Api;
  let auditor: Api;
  let rootKey: string;

  const administer = async (method: string, path: string, body?: object): Promise<unknown> => {
    const answer = await fetch(`${server.address}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': server.rootToken },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
    return answer.status === 204 ? {} : answer.json();
  };
  /** Wraps of its key, as its own audit file shows them. */
  const wraps = (): number =>
    readFileSync(server.auditFile, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { type: string; request: { path: string } })
      .filter(
        ({ type, request }) => type === 'response' && request.path === `transit/encrypt/${KEY}`,
      ).length;
  const keys = () => auditor.list<KeyView>(`${PATH}/keys`);
  const l2 = async () => (await keys()).find(({ level }) => level === 'L2')!;
  const probe = () => anna.command(`${PATH}/root-keys/${rootKey}/probe`);
  const observed = () => auditor.list<object>(`${PATH}/audit?action=RootKeyVersionObserved`);

  beforeAll(async () => {
    const dir = stage.path('openbao');
    mkdirSync(dir, { recursive: true });
    server = await startOpenBao({ dir });
    await administer('POST', 'sys/mounts/transit', { type: 'transit' });
    await administer('POST', `transit/keys/${KEY}`, { derived: true });
    region = await new Region(stage).start();
    await region.operator.command('/v1/tenants', { id: 'acme', name: 'Acme' });
    await region.operator.command(`${PATH}/activate`);
    anna = await region.person('acme', 'anna', 'tenant-admin', 'key-admin');
    auditor = await region.person('acme', 'ada', 'auditor');
    const { id } = await anna.command<{ id: string }>(`${PATH}/root-keys`, {
      keystore: 'vault',
      reference: { address: server.address, mount: 'transit', key: KEY },
      credentials: { token: server.rootToken },
    });
    rootKey = id;
    await anna.command(`${PATH}/services`, { id: 'default' });
    await until('the keys', 15_000, async () => (await keys()).length === 2 || null);
  });
  afterAll(async () => {
    await stage.close();
    await server.stop();
  });

  it('gives its tenant a new L2 once; a probe that finds nothing new, nothing', async () => {
    await probe();
    expect(await observed()).toEqual([]);
    expect((await l2()).versions.map(({ wrappedBy }) => wrappedBy.version)).toEqual(['1']);
    await administer('POST', `transit/keys/${KEY}/rotate`);
    const before = wraps();
    await probe();
    await until('an L2 under version 2', 20_000, async () => {
      const { versions } = await l2();
      return versions.at(-1)!.wrappedBy.version === '2' || null;
    });
    for (let at = 0; at < 2; at += 1) await probe();
    expect((await l2()).versions.map(({ wrappedBy }) => wrappedBy.version)).toEqual(['1', '2']);
    expect(await observed()).toHaveLength(1);
    // One wrap of the new seed, and one of each probe.
    expect(wraps() - before).toBe(4);
  });
});
