import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type EventId, type LedgerId, type Position, systemClock } from '@kcm/kernel';
import type { LogState, LogStore } from '@kcm/origin-log';
import { openSqliteLogStore } from '@kcm/origin-log/sqlite';
import { GrowingTree, leafHash, verifyConsistency, verifyInclusion } from '@kcm/transparency';
import { OriginLogReader } from './origin-log.js';

const LEDGER = 'l-1' as LedgerId;
const SIZE_MAX = 20;
const at = (n: number): Position => String(n).padStart(16, '0') as Position;
const idOf = (n: number): EventId => `event-${n}` as EventId;

describe('OriginLogReader', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-log-'));
  const tree = new GrowingTree();
  const roots = [tree.root()];
  /** Time passes with each look, so that nothing is waited for long. */
  let passes = 0;
  const clock: Pick<Clock, 'monotonicMs'> = { monotonicMs: () => (passes += 1_000) };
  let store: LogStore;
  let log: OriginLogReader;
  let before: LogState | null = null;

  beforeAll(async () => {
    store = await openSqliteLogStore({ file: join(folder, 'log.db') });
    log = new OriginLogReader(store, clock);
  });
  afterAll(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it('has no head before anything was built', async () => {
    await expect(log.head()).rejects.toMatchObject({ code: 'read_model_behind' });
  });

  it('proves every leaf at every size, by the head that comes with the proof', async () => {
    for (let seq = 0; seq < SIZE_MAX; seq += 1) {
      const nodes = tree.append(leafHash(Buffer.from([seq])));
      roots.push(tree.root());
      const state = { region: 'local', ledger: LEDGER, position: at(seq + 1), size: seq + 1 };
      await store.append(before, {
        entries: [{ seq, event: idOf(seq), tenant: null }],
        nodes,
        state,
      });
      before = state;
      for (let n = 0; n <= seq; n += 1) {
        const { entry, leaf, path, head } = (await log.inclusion(idOf(n)))!;
        expect(head).toEqual({ ledger: LEDGER, size: seq + 1, root: roots[seq + 1] });
        expect(
          verifyInclusion({ index: entry.seq, size: head.size, leaf, path, root: head.root }),
        ).toBe(true);
      }
    }
    expect(await log.inclusion(idOf(SIZE_MAX))).toBeNull();
  });

  it('proves that every size begins every later one', async () => {
    for (let to = 1; to <= SIZE_MAX; to += 1)
      for (let from = 1; from <= to; from += 1) {
        const { path } = await log.consistency(from, to);
        const [first, second] = [from, to].map((size) => ({ size, root: roots[size]! }));
        expect(verifyConsistency({ first: first!, second: second!, path })).toBe(true);
      }
    await expect(log.consistency(2, 1)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(log.consistency(1, SIZE_MAX + 1)).rejects.toMatchObject({
      errors: [{ path: 'query.to', code: 'out_of_range' }],
    });
  });

  it('answers nothing that is older than the token that it is asked with', async () => {
    const token = { ledger: LEDGER, position: at(SIZE_MAX) };
    expect((await log.head(token)).size).toBe(SIZE_MAX);
    const later = { ledger: LEDGER, position: at(SIZE_MAX + 1) };
    for (const asked of [
      log.head(later),
      log.inclusion(idOf(0), later),
      log.consistency(1, 2, later),
    ])
      await expect(asked).rejects.toMatchObject({ code: 'read_model_behind' });
    const other = { ledger: 'l-2' as LedgerId, position: at(1) };
    await expect(log.head(other)).rejects.toMatchObject({ errors: [{ code: 'other_ledger' }] });
  });

  it('waits for the log to get to the token', async () => {
    const patient = new OriginLogReader(store, systemClock);
    const head = patient.head({ ledger: LEDGER, position: at(SIZE_MAX + 1) });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const state = { ...before!, position: at(SIZE_MAX + 1) };
    await store.append(before, { entries: [], nodes: [], state });
    expect(await head).toEqual({ ledger: LEDGER, size: SIZE_MAX, root: roots[SIZE_MAX] });
  });
});
