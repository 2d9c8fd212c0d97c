import { regionDecider, type RegionState } from '@kcm/domain';
import { type KcmError, LIMITS, systemRandom } from '@kcm/kernel';
import { MemoryBlobs, SimulatedTime } from '@kcm/testing';
import type { CeremonyAsk, CeremonyStep } from './ceremonies.js';
import { SealService } from './seal-service.js';

const REKEY: CeremonyAsk = { kind: 'rekey', shares: 5, threshold: 3 };
const ROTATE: CeremonyAsk = { kind: 'rotate' };
const PATH = 'l2/acme/k/1';

/** A vault that keeps how it looked after each write: any of these is what a crash leaves. */
class WatchedBlobs extends MemoryBlobs {
  readonly left: Map<string, Buffer>[] = [];

  override async put(key: string, bytes: Uint8Array): Promise<void> {
    await super.put(key, bytes);
    this.left.push(new Map(this.blobs));
  }

  override async erase(prefix: string): Promise<number> {
    const erased = await super.erase(prefix);
    this.left.push(new Map(this.blobs));
    return erased;
  }
}

describe('A change of the seal', () => {
  let time: SimulatedTime;
  let vault: WatchedBlobs;
  let seal: SealService;
  let state: RegionState;
  let shares: readonly string[];

  const serviceOf = (blobs: MemoryBlobs) =>
    new SealService({
      region: 'eu',
      vault: blobs,
      random: systemRandom,
      clock: time,
      scheduler: time,
    });
  const evolve = (...events: Parameters<typeof regionDecider.evolve>[1][]) => {
    for (const event of events) state = regionDecider.evolve(state, event);
  };
  /** As the caller does: what is to be recorded is. */
  const record = ({ record: command }: CeremonyStep): void => {
    if (command === null) throw new Error('it is not over');
    const decision = regionDecider.decide(command, state);
    if (decision.kind !== 'accepted') throw new Error('the decider refuses it');
    evolve(...decision.events);
  };
  const give = async (id: string, texts: readonly string[]): Promise<CeremonyStep> => {
    let last: CeremonyStep | null = null;
    for (const text of texts) last = await seal.provideTo(id, text);
    return last!;
  };
  const codeOf = (act: Promise<unknown>): Promise<string> =>
    act.then(
      () => 'done',
      ({ code, errors }: KcmError) => [code, ...errors.map((one) => one.code)].join(' '),
    );
  /** By another process, from what is on disk. */
  const opens = async (of: RegionState, texts: readonly string[], blobs = vault.blobs) => {
    const copy = new MemoryBlobs();
    for (const [path, bytes] of blobs) copy.blobs.set(path, bytes);
    const other = serviceOf(copy);
    for (const text of texts) {
      const code = await codeOf(other.unseal(of, text));
      if (code !== 'done') return code;
    }
    if (other.sealed) return 'sealed';
    return String(await other.barriered(copy).get(PATH));
  };

  beforeEach(async () => {
    time = new SimulatedTime();
    vault = new WatchedBlobs();
    seal = serviceOf(vault);
    state = regionDecider.initial;
    const made = await seal.init(state, { seal: 'shamir', shares: 3, threshold: 2 });
    shares = made.shares;
    evolve(
      { type: 'RegionInitialized', data: made.config },
      { type: 'RegionUnsealed', data: { boot: 'b1' } },
    );
    for (const share of shares.slice(0, 2)) await seal.unseal(state, share);
    await seal.barriered(vault).put(PATH, Buffer.from('a key'));
  });

  it('rekey: a quorum gives new shares, they are proved, and from then on they alone open', async () => {
    const before = state;
    const { id } = await seal.beginCeremony(state, REKEY);
    expect(seal.ceremony).toMatchObject({ stage: 'authorize', provided: 0, threshold: 2 });
    expect(await give(id, [shares[2]!])).toMatchObject({ shares: null, record: null });
    const shown = await give(id, [shares[0]!]);
    expect(shown.shares).toHaveLength(5);
    expect(shown.ceremony).toMatchObject({ id, stage: 'verify', provided: 0, threshold: 3 });
    expect(await opens(state, shares.slice(1))).toBe('a key');
    const fresh = shown.shares!;
    record(await give(id, [fresh[4]!, fresh[0]!, fresh[2]!]));
    expect(seal.ceremony).toBeNull();
    expect(await opens(state, fresh.slice(1, 4))).toBe('a key');
    expect(await opens(state, fresh.slice(1, 3))).toBe('sealed');
    expect(await opens(before, shares.slice(1))).toBe('a key');
    await seal.eraseRetired(state);
    expect(await opens(before, shares.slice(1))).toBe('integrity');
    expect(await opens(state, fresh.slice(2))).toBe('a key');
  });

  it('shares of before the rekey are refused as that, by name, also in the next one', async () => {
    const first = await seal.beginCeremony(state, REKEY);
    const { shares: fresh } = await give(first.id, shares.slice(0, 2));
    const old = await codeOf(seal.provideTo(first.id, shares[2]!));
    expect(old).toBe('share_refused old_set');
    record(await give(first.id, fresh!.slice(0, 3)));
    const name = new RegExp(`Share 1 of set \\w+ ended with a rekey: this region has set \\w+\\.`);
    await expect(serviceOf(vault).unseal(state, shares[0]!)).rejects.toThrow(name);
    const second = await seal.beginCeremony(state, REKEY);
    expect(await codeOf(seal.provideTo(second.id, shares[0]!))).toBe('share_refused old_set');
    expect(await codeOf(seal.provideTo(second.id, fresh![0]!))).toBe('done');
  });

  it('rekey: whatever a crash leaves, the set opens that the ledger names', async () => {
    const before = state;
    const { id } = await seal.beginCeremony(state, REKEY);
    vault.left.length = 0;
    const { shares: fresh } = await give(id, shares.slice(0, 2));
    const step = await give(id, fresh!.slice(0, 3));
    const unrecorded = vault.left.length;
    expect(unrecorded).toBeGreaterThan(0);
    record(step);
    await seal.eraseRetired(state);
    expect(vault.left.length).toBeGreaterThan(unrecorded);
    for (const [at, left] of vault.left.entries()) {
      if (at < unrecorded) expect(await opens(before, shares.slice(1), left)).toBe('a key');
      if (at >= unrecorded - 1) expect(await opens(state, fresh!.slice(2), left)).toBe('a key');
    }
  });

  it('rotate: a quorum gives the barrier another key; what was there opens, after a restart too', async () => {
    const { id } = await seal.beginCeremony(state, ROTATE);
    expect(await give(id, [shares[0]!])).toMatchObject({ record: null });
    expect(seal.custody().entry).toBe(1);
    record(await give(id, [shares[1]!]));
    expect(seal.custody().entry).toBe(2);
    expect(state).toMatchObject({ entry: 2 });
    const old = vault.blobs.get(PATH)!;
    await seal.barriered(vault).put(`${PATH}/new`, Buffer.from('new'));
    expect([old, vault.blobs.get(`${PATH}/new`)!].map((blob) => blob.readUInt32BE(5))).toEqual([
      1, 2,
    ]);
    expect(await opens(state, shares.slice(1))).toBe('a key');
  });

  it('rotate: whatever a crash leaves opens, and what was written with the new key too', async () => {
    const { id } = await seal.beginCeremony(state, ROTATE);
    vault.left.length = 0;
    await give(id, shares.slice(0, 2));
    await seal.barriered(vault).put(PATH, Buffer.from('written anew'));
    expect(vault.left).toHaveLength(2);
    expect(await opens(state, shares.slice(1), vault.left[0])).toBe('a key');
    expect(await opens(state, shares.slice(1), vault.left[1])).toBe('written anew');
  });

  it.each(['rotate', 'rekey'] as const)(
    '%s by a process that has not heard of another one’s rotation loses no key of it',
    async (kind) => {
      const first = seal;
      const before = state;
      seal = serviceOf(vault);
      for (const share of shares.slice(0, 2)) await seal.unseal(before, share);
      const behind = seal;
      seal = first;
      const rotation = await seal.beginCeremony(before, ROTATE);
      record(await give(rotation.id, shares.slice(0, 2)));
      await seal.barriered(vault).put(PATH, Buffer.from('written since'));

      seal = behind;
      const { id } = await seal.beginCeremony(before, kind === 'rotate' ? ROTATE : REKEY);
      const step = await give(id, shares.slice(0, 2));
      const fresh = step.shares?.slice(0, 3) ?? shares.slice(1);
      record(kind === 'rotate' ? step : await give(id, fresh));
      await seal.eraseRetired(state);
      expect(await opens(state, fresh)).toBe('written since');
    },
  );

  it('a rekey that was proved before another process rotated is refused', async () => {
    const { id } = await seal.beginCeremony(state, REKEY);
    const { shares: fresh } = await give(id, shares.slice(0, 2));
    const { record: command } = await give(id, fresh!.slice(0, 3));
    evolve({ type: 'RegionKeyringRotated', data: { entry: 2 } });
    expect(regionDecider.decide(command!, state)).toMatchObject({ code: 'wrong_state' });
  });

  it('one is held at a time, by its id, while unsealed', async () => {
    const { id } = await seal.beginCeremony(state, REKEY);
    expect(await codeOf(seal.beginCeremony(state, ROTATE))).toBe('wrong_state');
    expect(await codeOf(seal.provideTo('0123456789abcdef', shares[0]!))).toBe('wrong_state');
    seal.cancelCeremony();
    expect(await codeOf(seal.provideTo(id, shares[0]!))).toBe('wrong_state');
    await seal.beginCeremony(state, ROTATE);
    seal.seal();
    expect(seal.ceremony).toBeNull();
    expect(await codeOf(seal.beginCeremony(state, ROTATE))).toBe('sealed');
  });

  it.each(['cancel', 'seal', 'nobody goes on'])(
    'new shares that were not proved open nothing: %s',
    async (how) => {
      const { id } = await seal.beginCeremony(state, REKEY);
      const { shares: fresh } = await give(id, shares.slice(0, 2));
      expect(await codeOf(seal.provideTo(id, fresh![0]!))).toBe('done');
      if (how === 'cancel') seal.cancelCeremony();
      else if (how === 'seal') seal.seal();
      else await time.advance(LIMITS.sharesIdleMsMax);
      expect(seal.ceremony).toBeNull();
      expect(await codeOf(seal.provideTo(id, fresh![1]!))).toBe('wrong_state');
      expect([...vault.blobs.keys()].filter((path) => path.startsWith('sys/keyring'))).toHaveLength(
        1,
      );
      expect(await opens(state, fresh!.slice(0, 3))).toBe('share_refused foreign_set');
      expect(await opens(state, shares.slice(1))).toBe('a key');
    },
  );

  it('is refused by field before anybody gives a share', async () => {
    const wrong: [number, number, (string | null)[] | undefined, string][] = [
      [3, 4, undefined, 'invalid'],
      [256, 2, undefined, 'invalid'],
      [2, 2, [null], 'wrong_count'],
      [2, 2, ['nobody', null], 'unusable'],
    ];
    for (const [n, threshold, recipients, code] of wrong) {
      const ask = { kind: 'rekey', shares: n, threshold, recipients } as const;
      expect(await codeOf(seal.beginCeremony(state, ask))).toBe(`invalid_request ${code}`);
    }
    expect(seal.ceremony).toBeNull();
  });

  it('guessing is limited there too', async () => {
    const { id } = await seal.beginCeremony(state, ROTATE);
    for (let i = 0; i < LIMITS.sharesRefusedMax; i += 1)
      expect(await codeOf(seal.provideTo(id, 'kcms1-x'))).toBe('share_refused malformed');
    expect(await codeOf(seal.provideTo(id, shares[0]!))).toBe('rate_limited');
    seal.cancelCeremony();
    const again = await seal.beginCeremony(state, ROTATE);
    expect(await codeOf(seal.provideTo(again.id, shares[0]!))).toBe('rate_limited');
  });
});
