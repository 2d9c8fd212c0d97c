import type { LockKind } from '@kcm/domain';
import type { CommandContext, Commands, TakeLock } from '@kcm/application';
import { type CommandId, KcmError, Recording, systemRandom } from '@kcm/kernel';
import { SimulatedTime } from '@kcm/testing';
import { EarlyLocks } from './early-locks.js';

describe('A lock that the ledger does not take', () => {
  const time = new SimulatedTime();
  let full: boolean;
  let acting: Set<TakeLock>;
  let recorded: string[];
  let recording: Recording;
  let locks: EarlyLocks;

  const lockOf = (lock: string, kind: LockKind = 'suspended'): TakeLock => ({
    kind: 'TakeLock',
    lock,
    lockKind: kind,
    scope: { all: true },
    owner: 'tenant',
    cause: 'incident',
  });
  const take = (lock: TakeLock) =>
    locks.take('acme', lock, {
      commandId: lock.lock as CommandId,
      actor: 'sub-1',
    } as CommandContext);
  const code = (error: unknown) => (error as KcmError).code;

  beforeEach(() => {
    full = true;
    [acting, recorded] = [new Set(), []];
    recording = new Recording({ scheduler: time, random: systemRandom, tell: () => {} });
    // Doubles: a ledger that is full or not and holds one lock of a kind, and a view of what acts.
    const commands = {
      state: async () => ({ status: 'active', services: new Set() }),
      run: async (_kind: string, _stream: string, { lock }: TakeLock) => {
        if (full) throw new KcmError('ledger_unavailable', 'full');
        if (recorded.length > 0) throw new KcmError('wrong_state', 'held');
        recorded.push(lock);
        return { events: [], revision: 0, position: null, replayed: false };
      },
    } as unknown as Commands;
    const view = {
      reached: async () => {},
      foresee: (_tenant: string, lock: TakeLock) => {
        acting.add(lock);
        return () => acting.delete(lock);
      },
    };
    locks = new EarlyLocks(commands, view, recording);
  });
  afterEach(() => recording.drop());

  it('acts, and is recorded when there is room', async () => {
    const lock = lockOf('r1');
    expect(await take(lock).catch(code)).toBe('ledger_unavailable');
    expect([...acting]).toEqual([lock]);
    await time.advance(60_000);
    expect(recording.pending).toBe(1);
    full = false;
    await time.advance(5_000);
    expect(recorded).toEqual(['r1']);
    expect([acting.size, recording.pending]).toEqual([0, 0]);
  });

  it('is one however often it is asked for; another kind is another one', async () => {
    for (const id of ['r1', 'r2', 'r3']) await take(lockOf(id)).catch(code);
    expect([acting.size, recording.pending]).toEqual([1, 1]);
    await take(lockOf('k1', 'killed')).catch(code);
    await take(lockOf('o1', 'readOnly')).catch(code);
    expect([acting.size, recording.pending]).toEqual([3, 3]);
  });

  it('gives way at once to one that was recorded: who lifts that one lifts the lock', async () => {
    await take(lockOf('r1')).catch(code);
    await time.advance(60_000);
    full = false;
    await take(lockOf('r2'));
    await time.advance(0);
    expect(recorded).toEqual(['r2']);
    expect([acting.size, recording.pending]).toEqual([0, 0]);
  });
});
