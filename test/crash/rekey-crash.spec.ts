import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { Region, Stage } from '../support/index.js';
import { say, Seeded, seedOf } from '../support/seeded.js';

jest.setTimeout(240_000);

interface Step {
  readonly ceremony: { readonly id: string } | null;
  readonly shares: string[] | null;
}
interface Status {
  readonly sealed: boolean;
  readonly keyring: { readonly entry: number } | null;
}
/** From before the last share is sent to well after what it does. */
const KILLED_AFTER_MS_MAX = 25;
const KILLS = 8;

describe('Killed in the middle of a change of the seal', () => {
  const stage = new Stage();
  const region = new Region(stage, { seal: 'shamir' });
  const seed = seedOf();
  const draws = new Seeded(seed);
  let shares: readonly string[];
  let entry = 1;

  const sys = <T>(path: string, body: object) => region.operator.post<T>(`/v1/sys/${path}`, body);
  const step = async (path: string, body: object) => (await sys<Step>(path, body)).body;
  const opened = async (texts: readonly string[]): Promise<boolean> => {
    await sys('unseal', { reset: true });
    for (const share of texts) if ((await sys('unseal', { share })).code !== null) return false;
    return true;
  };
  /** The share that completes it is on its way when the process ends; whether it was answered. */
  const lastShareThenKill = async (path: string, ceremony: string, share: string) => {
    const answer = sys<Step>(path, { ceremony, share }).then(
      ({ status }) => status === 200,
      () => false,
    );
    await sleep(draws.fraction() * KILLED_AFTER_MS_MAX);
    await region.server.kill();
    await region.start();
    return answer;
  };

  beforeAll(async () => {
    await region.start();
    const init = { shares: 2, threshold: 2 };
    ({ shares } = await region.operator.command<{ shares: string[] }>('/v1/sys/init', init));
    if (!(await opened(shares))) throw new Error('its own shares do not open it');
  });
  afterAll(() => stage.close());

  it('rekey, killed at any moment: the old shares open or the new ones, never both and never none', async () => {
    const seen = { old: 0, fresh: 0 };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { ceremony } = await step('rekey', { shares: 2, threshold: 2 });
      const { id } = ceremony!;
      await step('rekey', { ceremony: id, share: shares[0]! });
      const { shares: fresh } = await step('rekey', { ceremony: id, share: shares[1]! });
      await step('rekey', { ceremony: id, share: fresh![0]! });
      const answered = await lastShareThenKill('rekey', id, fresh![1]!);
      const old = await opened(shares);
      if (old) await region.operator.command('/v1/sys/seal');
      expect(await opened(fresh!)).toBe(!old);
      if (old) expect(await opened(shares)).toBe(true);
      // What was answered as done is done.
      if (answered) expect(old).toBe(false);
      seen[old ? 'old' : 'fresh'] += 1;
      shares = old ? shares : fresh!;
    }
    say(`KCM_TEST_SEED=${seed}: after the kill ${JSON.stringify(seen)}`);
  });

  it('rotate, killed at any moment: it opens, with the entry of before or one more', async () => {
    const seen = { before: 0, more: 0 };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { ceremony } = await step('rotate', { begin: true });
      const { id } = ceremony!;
      await step('rotate', { ceremony: id, share: shares[0]! });
      const answered = await lastShareThenKill('rotate', id, shares[1]!);
      expect(await opened(shares)).toBe(true);
      const now = (await region.as(null).read<Status>('/v1/sys/status')).keyring!.entry;
      expect([entry, entry + 1]).toContain(now);
      if (answered) expect(now).toBe(entry + 1);
      seen[now === entry ? 'before' : 'more'] += 1;
      entry = now;
    }
    say(`KCM_TEST_SEED=${seed}: after the kill ${JSON.stringify(seen)}`);
    const auditor = await region.person(null, 'paul', 'platform-auditor');
    const items = await auditor.list<{ action: string }>('/v1/audit?action=RegionKeyringRotated');
    expect(items).toHaveLength(entry - 1);
  });
});
