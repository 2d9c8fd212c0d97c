import { cpSync } from 'node:fs';
import { jest } from '@jest/globals';
import { Api } from '../support/api.js';
import { Apart } from '../support/apart.js';
import { EventStoreDouble } from '../support/eventstoredb-double.js';
import { Stage, until } from '../support/index.js';
import { MongoDatabase, mongoServers } from '../support/mongo.js';
import type { Server } from '../support/server.js';

jest.setTimeout(120_000);

interface Status {
  readonly sealed: boolean;
  readonly keyring: { readonly entry: number } | null;
}
const LATENCY_MS_MAX = 5_000;

describe('Two Cores of one region, the second on a copy of the first one’s folder', () => {
  const stage = new Stage();
  const double = EventStoreDouble.begin();
  const [mongo] = mongoServers();
  let apart: Apart;
  let first: Server;
  let second: Server;
  let shares: readonly string[];

  /** At that process's own address. */
  const at = (core: Server) => new Api(() => core.url, apart.operatorToken);
  const statusOf = (core: Server) => at(core).read<Status>('/v1/sys/status');
  const unseal = async (core: Server): Promise<void> => {
    for (const share of shares.slice(1)) await at(core).command('/v1/sys/unseal', { share });
    expect(await statusOf(core)).toMatchObject({ sealed: false });
  };
  const untilSealed = async (core: Server): Promise<number> => {
    const start = performance.now();
    await until('the other one is sealed', LATENCY_MS_MAX, async () =>
      (await statusOf(core)).sealed ? true : null,
    );
    return performance.now() - start;
  };

  beforeAll(async () => {
    const [ledger, models, blobs] = await Promise.all([
      double.store(),
      MongoDatabase.at(mongo!),
      MongoDatabase.at(mongo!),
    ]);
    apart = await Apart.of(stage, {
      KCM_LEDGER: ledger.url,
      KCM_READ_MODELS: models.url,
      KCM_VAULT: blobs.url,
      KCM_DIRECTORY: blobs.url,
      KCM_SEAL: 'shamir',
    });
    first = apart.processes.core;
    await first.start();
    const init = { shares: 3, threshold: 2 };
    shares = (await at(first).command<{ shares: string[] }>('/v1/sys/init', init)).shares;
    await first.stop();
    cpSync(first.folder, stage.path('second'), { recursive: true });
    second = apart.another('core', 'second', { KCM_HTTP_PORT: '0', KCM_KMIP_PORT: '0' });
    await Promise.all([first.start(), second.start()]);
  });
  afterAll(async () => {
    await stage.close();
    await Promise.all([mongo!.stop(), double.end()]);
  });

  it.each([
    ['the one that was opened first', () => [first, second] as const],
    ['the one that was opened last', () => [second, first] as const],
  ])('a seal that is asked of %s seals both', async (_, order) => {
    await unseal(first);
    await unseal(second);
    const [asked, other] = order();
    await at(asked).command('/v1/sys/seal');
    expect(await statusOf(asked)).toMatchObject({ sealed: true });
    const ms = await untilSealed(other);
    process.stderr.write(`    the other one was seen sealed after ${Math.round(ms)} ms\n`);
    expect((await at(other).get('/v1/edges')).code).toBe('sealed');
  });

  it('one whose keyring lacks the entry that the other made seals itself, and opens with it', async () => {
    await unseal(first);
    await unseal(second);
    const begun = await at(first).command<{ ceremony: { id: string } }>('/v1/sys/rotate', {
      begin: true,
    });
    for (const share of shares.slice(1))
      await at(first).command('/v1/sys/rotate', { ceremony: begun.ceremony.id, share });
    expect(await statusOf(first)).toMatchObject({ sealed: false, keyring: { entry: 2 } });
    await untilSealed(second);
    expect(await statusOf(first)).toMatchObject({ sealed: false });
    await unseal(second);
    expect(await statusOf(second)).toMatchObject({ keyring: { entry: 2 } });
  });
});
