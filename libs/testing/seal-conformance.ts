import { SealService } from '@kcm/custody';
import { regionDecider, type RegionState } from '@kcm/domain';
import { KcmError, systemClock, systemRandom, systemScheduler } from '@kcm/kernel';
import type { KeystoreBench, KeyUnderTest } from './keystore-conformance.js';
import { MemoryBlobs } from './memory-blobs.js';

const PATH = 'l2/acme/k/1';
const REKEY = { kind: 'rekey', shares: 2, threshold: 2 } as const;

/** What every keystore that may open a region owes, over its real server. */
export function sealConformance(name: string, start: () => Promise<KeystoreBench>): void {
  describe(`a region opened by keystore ${name}`, () => {
    let bench: KeystoreBench;
    let key: KeyUnderTest;
    let vault: MemoryBlobs;
    let state: RegionState;
    let shares: readonly string[];
    beforeAll(async () => {
      bench = await start();
    }, 120_000);
    afterAll(() => bench.stop());

    const serviceOf = (blobs: MemoryBlobs, { region = 'eu', of = key, wrong = false } = {}) =>
      new SealService({
        region,
        vault: blobs,
        random: systemRandom,
        clock: systemClock,
        scheduler: systemScheduler,
        keystore: {
          driver: name,
          open: (pinned) =>
            bench.driver.open(of.reference, wrong ? of.wrongCredentials : of.credentials, pinned),
        },
      });
    const evolve = (...events: Parameters<typeof regionDecider.evolve>[1][]) => {
      for (const event of events) state = regionDecider.evolve(state, event);
    };
    const init = async (blobs: MemoryBlobs, region = 'eu') => {
      const made = await serviceOf(blobs, { region }).init(regionDecider.initial, {
        seal: 'keystore',
        shares: 3,
        threshold: 2,
      });
      return { ...made, state: { status: 'sealed', config: made.config } as const };
    };
    const codeOf = (act: Promise<unknown>): Promise<string> =>
      act.then(
        () => 'done',
        (error: unknown) => (error instanceof KcmError ? error.code : String(error)),
      );
    /** By a process that has nothing but what is on disk. */
    const opens = async (how: Parameters<typeof serviceOf>[1] = {}): Promise<string> => {
      const other = serviceOf(vault, how);
      const code = await codeOf(other.unsealByKeystore(state));
      return code === 'done' ? String(await other.barriered(vault).get(PATH)) : code;
    };

    beforeEach(async () => {
      key = await bench.newKey();
      vault = new MemoryBlobs();
      const made = await init(vault);
      shares = made.shares;
      state = regionDecider.initial;
      evolve({ type: 'RegionInitialized', data: made.config });
      const seal = serviceOf(vault);
      await seal.unsealByKeystore(state);
      await seal.barriered(vault).put(PATH, Buffer.from('a key'));
      evolve({ type: 'RegionUnsealed', data: { boot: 'b1' } });
    });

    it('opens by itself, after a restart too, and records which key keeps it', async () => {
      expect(state).toMatchObject({ config: { seal: 'keystore', threshold: 2, shares: 3 } });
      expect(state).toMatchObject({ config: { keystore: { driver: name, generation: 1 } } });
      expect(await opens()).toBe('a key');
    });

    it('refuses the blob of another region, or of another one of that name, saying whose it is', async () => {
      for (const region of ['us', 'eu']) {
        const other = new MemoryBlobs();
        const theirs = await init(other, region);
        for (const kind of ['master', 'keyring'])
          vault.blobs.set(
            `sys/${kind}/${theirs.config.setId}`,
            other.blobs.get(`sys/${kind}/${theirs.config.setId}`)!,
          );
        const moved = vault.blobs.get(`sys/master/${theirs.config.setId}`)!;
        const { config } = state as Exclude<RegionState, { status: 'uninitialized' }>;
        const own = vault.blobs.get(`sys/master/${config.setId}`)!;
        vault.blobs.set(`sys/master/${config.setId}`, moved);
        await expect(serviceOf(vault).unsealByKeystore(state)).rejects.toThrow(
          new RegExp(`is of region ${region} .* not of region eu `),
        );
        vault.blobs.set(`sys/master/${config.setId}`, own);
      }
      expect(await opens()).toBe('a key');
    });

    it('opens nothing with a blob of which any byte was changed, its name of whose it is too', async () => {
      const { config } = state as Exclude<RegionState, { status: 'uninitialized' }>;
      const path = `sys/master/${config.setId}`;
      const own = vault.blobs.get(path)!;
      for (let at = 0; at < own.length; at += 5) {
        const changed = Buffer.from(own);
        changed[at]! ^= 1;
        vault.blobs.set(path, changed);
        expect(await opens()).toBe('integrity');
      }
      // Another region's seed under our name: the keystore or the keyring finds out.
      const other = new MemoryBlobs();
      const theirs = other.blobs;
      const made = await init(other, 'us');
      const blob = theirs.get(`sys/master/${made.config.setId}`)!;
      const headOf = (bytes: Buffer) => 9 + bytes.readUInt32BE(5);
      const forged = Buffer.concat([own.subarray(0, headOf(own)), blob.subarray(headOf(blob))]);
      vault.blobs.set(path, forged);
      expect(await opens()).toBe('integrity');
    });

    it('stays sealed while the key is denied, and opens when it is allowed again', async () => {
      await key.disable();
      expect(await opens()).toBe('root_key_disabled');
      await key.enable();
      expect(await opens()).toBe('a key');
      await key.withdraw();
      expect(await opens()).toBe('root_key_forbidden');
      await key.allow();
      expect(await opens()).toBe('a key');
    });

    it('tells credentials that are wrong and a keystore that is away from a no', async () => {
      expect(await opens({ wrong: true })).toBe('keystore_auth_failed');
      const nobody = { ...key, reference: bench.at(key.reference, 'http://127.0.0.1:9') };
      expect(await opens({ of: nobody })).toBe('root_key_unreachable');
    });

    it('takes another key at the same place for none', async () => {
      await key.delete();
      await key.recreate();
      expect(await opens()).toBe('root_key_not_found');
    });

    it('recovery shares open nothing: neither the region nor, put together, its keyring', async () => {
      const seal = serviceOf(vault);
      for (const share of shares)
        expect(await codeOf(seal.unseal(state, share))).toBe('wrong_state');
      const { config } = state as Exclude<RegionState, { status: 'uninitialized' }>;
      const asShamir = { ...state, config: { ...config, seal: 'shamir' } } as RegionState;
      await seal.unseal(asShamir, shares[0]!);
      expect(await codeOf(seal.unseal(asShamir, shares[1]!))).toBe('integrity');
      expect(seal.sealed).toBe(true);
    });

    it('recovery shares authorise: a rotation, a rekey whose older generation opens no more, the way out', async () => {
      const seal = serviceOf(vault);
      await seal.unsealByKeystore(state);
      const run = async (ask: Parameters<SealService['beginCeremony']>[1]): Promise<string[]> => {
        const { id } = await seal.beginCeremony(state, ask);
        let fresh: readonly string[] | null = null;
        for (let given = shares.slice(0, 2); given.length > 0;) {
          const step = await seal.provideTo(id, given.shift()!);
          if (step.shares !== null) given = [...(fresh = step.shares)];
          if (step.record === null) continue;
          const decision = regionDecider.decide(step.record, state);
          if (decision.kind === 'accepted') evolve(...decision.events);
        }
        return [...(fresh ?? [])];
      };
      await run({ kind: 'rotate' });
      expect(state).toMatchObject({ entry: 2 });
      expect(await opens()).toBe('a key');
      const before = state as Exclude<RegionState, { status: 'uninitialized' }>;
      const older = vault.blobs.get(`sys/master/${before.config.setId}`)!;
      shares = await run(REKEY);
      const now = state as typeof before;
      expect(now.config).toMatchObject({ seal: 'keystore', keystore: { generation: 2 } });
      expect(await opens()).toBe('a key');
      const path = `sys/master/${now.config.setId}`;
      const own = vault.blobs.get(path)!;
      vault.blobs.set(path, older);
      await expect(serviceOf(vault).unsealByKeystore(state)).rejects.toThrow(/generation 1, not/);
      vault.blobs.set(path, own);
      shares = await run({ ...REKEY, seal: 'shamir' });
      expect(await opens()).toBe('wrong_state');
      const other = serviceOf(vault);
      for (const share of shares) await other.unseal(state, share);
      expect(String(await other.barriered(vault).get(PATH))).toBe('a key');
    });
  });
}
