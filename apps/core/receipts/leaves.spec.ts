import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerId, Position, RecordedEvent } from '@kcm/kernel';
import type { LogState, LogStore } from '@kcm/origin-log';
import { openSqliteLogStore } from '@kcm/origin-log/sqlite';
import { SimClock } from '@kcm/testing/edge';
import { GrowingTree, leafHash, verifyInclusion } from '@kcm/transparency';
import { leavesOf } from './leaves.js';

const ledger = 'l-1' as LedgerId;
const positionOf = (n: number): Position => String(n).padStart(16, '0') as Position;
const event = (n: number): RecordedEvent =>
  ({ id: `event-${n}`, position: positionOf(n) }) as unknown as RecordedEvent;

describe('The leaves of a receipt', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-leaves-'));
  const tree = new GrowingTree();
  const clock = new SimClock();
  let log: LogStore;
  let before: LogState | null = null;

  /** The log takes the event, or passes it over. */
  const pass = async (n: number, taken: boolean): Promise<void> => {
    const seq = tree.size;
    const nodes = taken ? tree.append(leafHash(Buffer.of(n))) : [];
    const entries = taken ? [{ seq, event: event(n).id, tenant: 'acme' }] : [];
    const state = { region: 'local', ledger, position: positionOf(n), size: tree.size };
    await log.append(before, { entries, nodes, state });
    before = state;
  };

  beforeAll(async () => {
    log = await openSqliteLogStore({ file: join(folder, 'log.db') });
  });
  afterAll(async () => {
    await log.close();
    rmSync(folder, { recursive: true });
  });

  it('are waited for until the log has got to the last of them, and stand under one head', async () => {
    await pass(1, true);
    let known = false;
    const found = leavesOf({ ledger, clock, log }, [event(1), event(3)]);
    void found.then(() => (known = true));
    await pass(2, true);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(known).toBe(false);
    await pass(3, true);
    const { leaves, head } = await found;
    expect(head).toEqual({ ledger, size: 3, root: tree.root() });
    for (const n of [1, 3]) {
      const { index, path } = leaves.get(event(n).id)!;
      const claim = { index, size: 3, leaf: leafHash(Buffer.of(n)), path, root: head.root };
      expect(index).toBe(n - 1);
      expect(verifyInclusion(claim)).toBe(true);
    }
  });

  it('are not waited for without end: the step is tried again', async () => {
    const found = leavesOf({ ledger, clock, log }, [event(4)]);
    clock.advance(2_001);
    await expect(found).rejects.toMatchObject({ code: 'read_model_behind' });
  });

  it('are refused when the log has passed an event without taking it', async () => {
    await pass(5, false);
    await expect(leavesOf({ ledger, clock, log }, [event(5)])).rejects.toMatchObject({
      code: 'integrity',
    });
  });
});
