import { jest } from '@jest/globals';
import {
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  type Sample,
  Stage,
  until,
} from '../support/index.js';

jest.setTimeout(120_000);

interface Ceremony {
  readonly id: string;
  readonly stage: string;
  readonly provided: number;
  readonly threshold: number;
}
interface Step {
  readonly ceremony: Ceremony | null;
  readonly shares: string[] | null;
  readonly done: boolean;
  readonly detail?: string;
}
interface Status {
  readonly sealed: boolean;
  readonly shares: number;
  readonly ceremony: Ceremony | null;
  readonly keyring: {
    readonly entry: number;
    readonly resealing: { readonly state: string; readonly blobs: object[] } | null;
  } | null;
}

describe('Changing what opens a region', () => {
  const stage = new Stage();
  const region = new Region(stage, { seal: 'shamir' });
  let shares: readonly string[];
  let old: readonly string[];
  let edge: EdgeProcess;
  let sample: Sample;

  const status = () => region.as(null).read<Status>('/v1/sys/status');
  const unseal = async (...of: readonly string[]): Promise<void> => {
    for (const share of of) await region.operator.command('/v1/sys/unseal', { share });
    await region.serving();
  };
  const step = (path: string, body: object) =>
    region.operator.command<Step>(`/v1/sys/${path}`, body);
  const give = async (path: string, id: string, of: readonly string[]): Promise<Step> => {
    let last: Step | null = null;
    for (const share of of) last = await step(path, { ceremony: id, share });
    return last!;
  };
  const refused = async (path: string, body: object): Promise<string> => {
    const { code, body: problem } = await region.operator.post<Step>(`/v1/sys/${path}`, body);
    return `${code}: ${problem.detail}`;
  };
  const opensSample = () =>
    until('the record from before', 20_000, async () =>
      (await edge.client('billing').opens(sample)) === true ? true : null,
    );
  /** Killed at once, and started again. */
  const crash = async (): Promise<void> => {
    await region.server.kill();
    await region.start();
  };

  beforeAll(async () => {
    const [keystore] = await Promise.all([Keystore.start(stage), region.start()]);
    const init = { shares: 3, threshold: 2 };
    shares = (await region.operator.command<{ shares: string[] }>('/v1/sys/init', init)).shares;
    await unseal(...shares.slice(0, 2));
    edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing']);
    await onboard(region, keystore, 'acme');
    sample = await edge.client('billing').sample('acme', 'a record of acme');
  });
  afterAll(() => stage.close());

  it('rekey, as people type it: two of the old shares, then three of the new ones', async () => {
    const kcm = async (...args: string[]): Promise<Step> => {
      const { code, stdout, stderr } = await region.kcm('sys', 'rekey', '--json', ...args);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      return JSON.parse(stdout) as Step;
    };
    const { ceremony } = await kcm('--shares', '5', '--threshold', '3');
    const id = ceremony!.id;
    expect(await status()).toMatchObject({ ceremony: { id, stage: 'authorize', provided: 0 } });
    await kcm('--ceremony', id, '--share', shares[2]!);
    expect(await status()).toMatchObject({ ceremony: { provided: 1, threshold: 2 }, shares: 3 });
    const shown = await kcm('--ceremony', id, '--share', shares[0]!);
    expect(shown).toMatchObject({ ceremony: { stage: 'verify', threshold: 3 }, done: false });
    old = shares;
    shares = shown.shares!;
    for (const at of [4, 1]) await kcm('--ceremony', id, '--share', shares[at]!);
    expect(await status()).toMatchObject({ shares: 3 });
    expect(await kcm('--ceremony', id, '--share', shares[3]!)).toMatchObject({ done: true });
    expect(await status()).toMatchObject({ shares: 5, threshold: 3, ceremony: null });
    await opensSample();
  });

  it('after a crash the new shares open, and the old ones are refused as old, by name', async () => {
    await crash();
    expect(await refused('unseal', { share: old[0]! })).toMatch(
      /^share_refused: Share 1 of set \w+ ended with a rekey: this region has set \w+\.$/,
    );
    await unseal(...shares.slice(2));
    await opensSample();
  });

  it('a crash before the new shares are proved: the ones of before open', async () => {
    const { ceremony } = await step('rekey', { shares: 2, threshold: 2 });
    const shown = await give('rekey', ceremony!.id, shares.slice(0, 3));
    expect(shown.shares).toHaveLength(2);
    await step('rekey', { ceremony: ceremony!.id, share: shown.shares![0]! });
    await crash();
    expect(await status()).toMatchObject({ sealed: true, ceremony: null });
    expect(await refused('unseal', { share: shown.shares![0]! })).toMatch(/is foreign/);
    await unseal(...shares.slice(0, 3));
    await opensSample();
  });

  it('rotate: all is sealed anew, with progress, and opens after a crash', async () => {
    expect(await status()).toMatchObject({ keyring: { entry: 1, resealing: null } });
    const { ceremony } = await step('rotate', { begin: true });
    expect(await give('rotate', ceremony!.id, shares.slice(2))).toMatchObject({ done: true });
    const { keyring } = await until('all is sealed anew', 10_000, async () => {
      const now = await status();
      return now.keyring?.resealing?.state === 'done' ? now : null;
    });
    expect(keyring).toMatchObject({ entry: 2, resealing: { damaged: 0 } });
    expect(keyring!.resealing!.blobs).toEqual([{ entry: 2, count: expect.any(Number) as number }]);
    await opensSample();
    await crash();
    await unseal(...shares.slice(0, 3));
    expect(await status()).toMatchObject({ keyring: { entry: 2 } });
    await opensSample();
    expect(await edge.client('billing').sample('acme', 'a newer record')).toBeTruthy();
  });

  it('needs the quorum, and can be cancelled', async () => {
    const { ceremony } = await step('rotate', { begin: true });
    const id = ceremony!.id;
    expect(await refused('rekey', { shares: 2, threshold: 2 })).toMatch(/^wrong_state: A rotate/);
    await give('rotate', id, shares.slice(0, 2));
    expect(await refused('rotate', { ceremony: id, share: shares[0]! })).toMatch(/^share_refused/);
    expect(await refused('rotate', { ceremony: id, share: old[0]! })).toMatch(/ended with a rekey/);
    expect(await refused('rotate', { ceremony: 'another', share: shares[2]! })).toMatch(
      /^wrong_st/,
    );
    expect(await step('rotate', { cancel: true })).toMatchObject({ ceremony: null, done: false });
    expect(await status()).toMatchObject({ ceremony: null, keyring: { entry: 2 } });
  });

  it('stands in the record: each rekey and rotation, and no share', async () => {
    const auditor = await region.person(null, 'paul', 'platform-auditor');
    const items = await auditor.list<{ action: string }>('/v1/audit');
    const actions = items.map(({ action }) => action);
    expect(actions.filter((action) => /Rekeyed|KeyringRotated/.test(action)).sort()).toEqual([
      'RegionKeyringRotated',
      'RegionRekeyed',
    ]);
    for (const share of [...old, ...shares]) expect(JSON.stringify(items)).not.toContain(share);
  });
});
