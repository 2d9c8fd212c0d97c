import { jest } from '@jest/globals';
import {
  BOUND_MS,
  EdgeProcess,
  inUse,
  keyPath,
  Keystore,
  LEASE_SECONDS,
  onboard,
  Region,
  Stage,
  type Tenant,
  until,
} from '../support/index.js';

jest.setTimeout(120_000);

interface Held {
  readonly keyVersion: number;
}
interface Wrong {
  readonly code: string;
  readonly detail: string;
}

/** Two Edges hold a version; one of them is stopped for a while and hears of nothing. */
describe('A version that two Edges hold, one of them stopped', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let awake: EdgeProcess;
  let stopped: EdgeProcess;
  let acme: Tenant;
  let key: string;

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    awake = await EdgeProcess.start(stage, region, 'awake', ['billing']);
    stopped = await EdgeProcess.start(stage, region, 'stopped', ['billing']);
    acme = await onboard(region, keystore, 'acme', { leaseSeconds: 60 });
    key = await keyPath(acme, 'L3');
  });
  afterAll(() => stage.close());

  const destroy = () => acme.anna.call('POST', `${key}/versions/1/destroy`, {});
  const unreported = async (): Promise<number> => {
    const { errors = [] } = (await destroy()).body as { errors?: readonly Wrong[] };
    return Number(errors.find(({ code }) => code === 'unreported')?.detail ?? 0);
  };

  it('is not destroyed while that one may hold something back, and it protects no more with it', async () => {
    const [one, other] = [awake.client('billing'), stopped.client('billing')];
    const mine = await one.sample('acme', 'of the one that goes on');
    const theirs = await other.sample('acme', 'of the one that is stopped');
    process.kill(stopped.program.pid, 'SIGSTOP');
    await acme.anna.command(`${key}/rotate`, {});
    const moved = await until('a move', 5_000, async () => {
      const answer = await one.ask('acme', 'rewrap', { ciphertext: mine.ciphertext });
      return answer.keyVersion === 2 ? answer : null;
    });
    expect(moved.plaintext).toBeUndefined();
    // The one that goes on has told all that it did: what may be held back is of the other alone.
    await until('its reports', 40_000, async () => (await unreported()) === 1 || null);
    // Nothing is counted, and a record hangs from it.
    expect(await inUse(acme, key, 1)).toBe(0);
    process.kill(stopped.program.pid, 'SIGCONT');
    const after = await other.encrypt('acme', 'after it went on');
    expect(after.keyVersion).not.toBe(1);
    await until('its reports', 40_000, async () => (await unreported()) === 0 || null);
    expect(await inUse(acme, key, 1)).toBe(1);
    expect((await destroy()).code).toBe('key_in_use');
    expect(await other.opens(theirs)).toBe(true);
  });

  it('destroyed by a word that accepts it, after its lease, is not protected with by that one when it goes on', async () => {
    const other = stopped.client('billing');
    const shorter = { leaseSeconds: LEASE_SECONDS };
    expect(await acme.anna.call('PUT', `${acme.path}/policy`, shorter)).toMatchObject({
      status: 200,
    });
    await other.sample('acme', 'under the shorter lease');
    const { current: version } = await acme.anna.command<{ current: number }>(`${key}/rotate`, {});
    await until('the version at that one', 5_000, async () => {
      const { leases } = (await other.status()) as unknown as { leases: readonly Held[] };
      return leases.some(({ keyVersion }) => keyVersion === version) || null;
    });
    process.kill(stopped.program.pid, 'SIGSTOP');
    await acme.anna.command(`${key}/rotate`, {});
    const accepted = { acceptUnreported: true };
    const destroys = () => acme.anna.call('POST', `${key}/versions/${version}/destroy`, accepted);
    // Its lease may run yet: what it would protect with the version would be lost.
    expect(await destroys()).toMatchObject({ status: 409, body: { code: 'key_in_use' } });
    await until('the end of its lease', 2 * BOUND_MS, async () => {
      return (await destroys()).status === 200 || null;
    });
    process.kill(stopped.program.pid, 'SIGCONT');
    for (let n = 0; n < 20; n += 1) {
      const { keyVersion } = await other.encrypt('acme', 'after it went on');
      expect(keyVersion).not.toBe(version);
    }
  });
});
