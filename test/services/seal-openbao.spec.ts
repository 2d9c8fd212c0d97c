import { mkdirSync, writeFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import { type RunningOpenBao, startOpenBao } from '../../scripts/services/openbao.mjs';
import { runToEnd } from '../support/processes.js';
import { Keystore, onboard, Region, type Sample, Stage, until } from '../support/index.js';

jest.setTimeout(180_000);

interface Status {
  readonly sealed: boolean;
  readonly seal: string | null;
}
interface Ready {
  readonly reasons: readonly { readonly dependency: string; readonly code: string }[];
}
const KEY = 'transit/keys/kcm-seal';

describe('A region that the operator’s OpenBao opens', () => {
  const stage = new Stage();
  const credentials = stage.path('seal-credentials.json');
  let bao: RunningOpenBao;
  let region: Region;
  let recovery: readonly string[];
  let sample: Sample;
  let reference: string;

  const owner = async (method: string, path: string, body: object = {}): Promise<void> => {
    const headers = { 'X-Vault-Token': bao.rootToken };
    const init = { method, headers, body: JSON.stringify(body) };
    const answer = await fetch(`${bao.address}/v1/${path}`, init);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
  };
  const keep = (token: string) => writeFileSync(credentials, JSON.stringify({ token }));
  const status = () => region.as(null).read<Status>('/v1/sys/status');
  /** What /readyz says of the seal. */
  const said = async (): Promise<string> => {
    const { status: at, body } = await region.as(null).get<Ready>('/readyz');
    return `${at} ${body.reasons.find(({ dependency }) => dependency === 'seal')?.code ?? ''}`;
  };
  const untilSaid = (what: string) =>
    until(what, 30_000, async () => ((await said()) === what ? true : null));
  const untilOpen = async (): Promise<void> => {
    await until('the region opens by itself', 40_000, async () =>
      (await status()).sealed ? null : true,
    );
    await region.serving();
  };
  const served = () =>
    until('the record from before', 30_000, async () =>
      (await region.edge('billing').opens(sample)) === true ? true : null,
    );

  beforeAll(async () => {
    mkdirSync(stage.path('bao'));
    bao = stage.add(await startOpenBao({ dir: stage.path('bao') }));
    await owner('POST', 'sys/mounts/transit', { type: 'transit' });
    await owner('POST', KEY);
    reference = JSON.stringify({ address: bao.address, mount: 'transit', key: 'kcm-seal' });
    keep(bao.rootToken);
    const env = {
      KCM_SEAL: 'keystore:vault',
      KCM_SEAL_REFERENCE: reference,
      KCM_SEAL_CREDENTIALS: `@${credentials}`,
    };
    region = await new Region(stage, { services: 'billing', env }).start();
  });
  afterAll(() => stage.close());

  it('is initialized by people, who get recovery shares, and opens by itself then', async () => {
    expect(await status()).toMatchObject({ sealed: true, seal: null });
    const init = { shares: 3, threshold: 2 };
    const made = await region.operator.command<{ shares: string[] }>('/v1/sys/init', init);
    recovery = made.shares;
    expect(recovery).toHaveLength(3);
    await untilOpen();
    expect(await status()).toMatchObject({ seal: 'keystore', trialGrade: [] });
    const keystore = await Keystore.start(stage);
    await onboard(region, keystore, 'acme');
    sample = await region.edge('billing').sample('acme', 'a record of acme');
  });

  it('opens by itself after a restart, with no share', async () => {
    await region.stop();
    await region.start();
    await untilOpen();
    await served();
  });

  it('denied: stays up and sealed, says why, and opens without a restart once it is allowed', async () => {
    await region.stop();
    await owner('POST', `${KEY}/rotate`);
    await owner('POST', `${KEY}/config`, { min_decryption_version: 2 });
    await region.start();
    await untilSaid('503 root_key_disabled');
    expect((await region.operator.get('/v1/tenants')).code).toBe('sealed');
    await owner('POST', `${KEY}/config`, { min_decryption_version: 1 });
    await untilOpen();
    expect(region.server.running).toBe(true);
    await served();
  });

  it('away: the same, and the token is read anew each time', async () => {
    await region.stop();
    process.kill(bao.pid, 'SIGSTOP');
    try {
      await region.start();
      await untilSaid('503 root_key_unreachable');
      keep('not-a-token');
    } finally {
      process.kill(bao.pid, 'SIGCONT');
    }
    await untilSaid('503 keystore_auth_failed');
    keep(bao.rootToken);
    await untilOpen();
    await served();
  });

  it('sealed by the operator it stays so, until somebody asks the keystore', async () => {
    await region.operator.command('/v1/sys/seal');
    await new Promise((passed) => setTimeout(passed, 2_000));
    expect(await said()).toBe('503 sealed');
    const refused = await region.operator.post('/v1/sys/unseal', { share: recovery[0]! });
    expect(refused.code).toBe('wrong_state');
    expect(await region.kcm('unseal', '--keystore')).toMatchObject({ code: 0 });
    expect(await status()).toMatchObject({ sealed: false });
    await region.serving();
    await served();
  });

  it('two of the recovery shares rotate the barrier and move the seal to people', async () => {
    const step = (path: string, body: object) =>
      region.operator.command<{ ceremony: { id: string } | null; shares: string[] | null }>(
        `/v1/sys/${path}`,
        body,
      );
    const rotate = await step('rotate', { begin: true });
    for (const share of recovery.slice(1))
      await step('rotate', { ceremony: rotate.ceremony!.id, share });
    expect(await status()).toMatchObject({ keyring: { entry: 2 } });
    const rekey = await step('rekey', { shares: 2, threshold: 2, seal: 'shamir' });
    const ceremony = rekey.ceremony!.id;
    await step('rekey', { ceremony, share: recovery[0]! });
    const { shares } = await step('rekey', { ceremony, share: recovery[2]! });
    for (const share of shares!) await step('rekey', { ceremony, share });
    expect(await status()).toMatchObject({ seal: 'shamir', sealed: false });
    await region.stop();
    await region.start();
    expect(await said()).toBe('503 sealed');
    for (const share of shares!) await region.operator.command('/v1/sys/unseal', { share });
    await region.serving();
    await served();
  });

  it.each([
    [{ KCM_SEAL: 'keystore:nosuch', KCM_SEAL_REFERENCE: '{}' }, /KCM_SEAL: there is no keystore/],
    [{ KCM_SEAL: 'keystore:vault' }, /KCM_SEAL_REFERENCE: is needed/],
    [{ KCM_SEAL: 'keystore:vault', KCM_SEAL_REFERENCE: '[]' }, /KCM_SEAL_REFERENCE: .*JSON object/],
    [{ KCM_SEAL: 'shamir', KCM_SEAL_REFERENCE: '{}' }, /KCM_SEAL_REFERENCE: is for KCM_SEAL=keys/],
    [
      { KCM_SEAL: 'keystore:vault', KCM_SEAL_REFERENCE: '{"address":"x","mount":"transit"}' },
      /KCM_SEAL_REFERENCE\.address: [^]*KCM_SEAL_REFERENCE\.key: [^]*KCM_SEAL_CREDENTIALS: /,
    ],
  ])('does not start with settings that are wrong: %j', async (env, told) => {
    const folder = stage.path(`wrong-${Math.random().toString(36).slice(2)}`);
    const ports = { KCM_HTTP_PORT: '0', KCM_KMIP_PORT: '0', KCM_LOG_LEVEL: 'fatal' };
    const ended = await runToEnd('standalone', [], { KCM_DATA_DIR: folder, ...ports, ...env });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(told);
  });
});
