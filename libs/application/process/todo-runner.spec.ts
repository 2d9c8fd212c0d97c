import { type EventId, KcmError, rfc3339, streamOf, systemRandom } from '@kcm/kernel';
import { settled, SimulatedTime } from '@kcm/testing';
import type { ItemRef, StandingTodo } from './standing.js';
import { TodoRunner } from './todo-runner.js';

const todo = (id: string, more: Partial<StandingTodo> = {}): StandingTodo => ({
  id,
  cause: { event: 'e-1' as EventId, correlationId: 'c-1' },
  step: {
    kind: 'tenant',
    stream: streamOf('tenant', 'acme'),
    command: { kind: 'ActivateTenant' },
  },
  ...more,
});

describe('TodoRunner', () => {
  let time: SimulatedTime;
  let failed: { ref: ItemRef; attempts: number; at: number }[];
  let started: string[];
  /** What an execution does, by item; by default it ends at once. */
  let acts: Record<string, () => Promise<void>>;
  let runner: TodoRunner;
  const make = (concurrencyMax = 4, random = systemRandom, latePerSecondMax?: number): TodoRunner =>
    new TodoRunner(
      {
        clock: time,
        scheduler: time,
        random,
        execute: async (_step, { item }) => {
          started.push(item);
          await acts[item]?.();
        },
        onFailed: (ref, _error, attempts) => failed.push({ ref, attempts, at: time.monotonicMs() }),
      },
      'letters',
      { concurrencyMax, latePerSecondMax },
    );
  const held = () => {
    let release = (): void => {};
    const promise = new Promise<void>((resolve) => {
      release = resolve;
    });
    return { promise, release };
  };
  const refuse = async (): Promise<void> => {
    throw new KcmError('sealed', 'sealed');
  };

  beforeEach(() => {
    time = new SimulatedTime();
    failed = [];
    started = [];
    acts = {};
    runner = make();
  });

  it('runs each item of a list once while it stands and its event is on the way', async () => {
    runner.sync('acme', [todo('a'), todo('b')]);
    await settled();
    runner.sync('acme', [todo('a'), todo('b')]);
    await time.advance(4_000);
    expect(started).toEqual(['a', 'b']);
    runner.sync('acme', []);
    await time.advance(60_000);
    expect(started).toEqual(['a', 'b']);
    expect(runner.standing()).toEqual([]);
  });

  it('runs an item again when its event does not come back', async () => {
    runner.sync('acme', [todo('a')]);
    await settled();
    await time.advance(20_000);
    expect(started.length).toBeGreaterThan(2);
    expect(failed).toEqual([]);
  });

  it('never runs an item twice at a time', async () => {
    const hold = held();
    acts = { a: () => hold.promise };
    runner.sync('acme', [todo('a')]);
    await settled();
    for (let n = 0; n < 5; n += 1) {
      runner.sync('acme', []);
      runner.sync('acme', [todo('a')]);
      await time.advance(60_000);
    }
    expect(started).toEqual(['a']);
    hold.release();
    await time.advance(1);
    // Taken off and put on again meanwhile: that asks for another run.
    expect(started).toEqual(['a', 'a']);
  });

  it('tells the same item of two subjects apart', async () => {
    runner.sync('acme', [todo('a')]);
    runner.sync('other', [todo('a')]);
    await settled();
    runner.sync('acme', []);
    expect(started).toEqual(['a', 'a']);
    expect(runner.standing()).toMatchObject([{ subject: 'other', item: 'a', process: 'letters' }]);
  });

  it('tries again with jitter under a ceiling that doubles from 0.2 s to 30 s', async () => {
    const longest = { bytes: (length: number) => Buffer.alloc(length, 0xff) };
    runner = make(4, longest);
    acts = { a: refuse };
    runner.sync('acme', [todo('a')]);
    await settled();
    await time.advance(180_000);
    const waits = failed.slice(1).map(({ at }, index) => Math.round(at - failed[index]!.at));
    expect(waits.slice(0, 9)).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
    expect(failed.map(({ attempts }) => attempts)).toEqual(failed.map((_, index) => index + 1));
    expect(runner.standing()).toMatchObject([{ item: 'a', running: false }]);
  });

  it('spreads what failed together', async () => {
    acts = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`i${n}`, refuse]));
    runner.sync(
      'acme',
      Object.keys(acts).map((id) => todo(id)),
    );
    await settled();
    await time.advance(5_000);
    expect(new Set(failed.filter(({ attempts }) => attempts === 4).map(({ at }) => at)).size).toBe(
      4,
    );
  });

  it('runs at once what waits after a failure when it is told that the cause may be gone', async () => {
    acts = { a: refuse };
    runner = make(4, { bytes: (length: number) => Buffer.alloc(length, 0xff) });
    runner.sync('acme', [todo('a')]);
    await settled();
    await time.advance(60_000);
    acts = {};
    started = [];
    runner.retryNow();
    await settled();
    expect(started).toEqual(['a']);
    expect(runner.standing()).toMatchObject([{ attempts: 0 }]);
  });

  it('waits until an item is due by the wall clock, wherever that jumps', async () => {
    const due = (ms: number) => ({ dueAt: rfc3339(time.wallMs() + ms) });
    runner.sync('acme', [todo('far', due(3 * 86_400_000)), todo('near', due(1_000))]);
    await time.advance(999);
    expect(started).toEqual([]);
    await time.advance(2);
    expect(started).toEqual(['near']);
    runner.sync('acme', [todo('far', due(3 * 86_400_000))]);
    await time.advance(60_000);
    expect(started).toEqual(['near']);
    time.jumpWall(3 * 86_400_000);
    await time.advance(31_000);
    expect(started).toEqual(['near', 'far']);
  });

  it('says how long an item has been due, wherever the wall clock jumps, and how often it was begun', async () => {
    acts = { a: refuse };
    runner.sync('acme', [todo('a'), todo('b', { dueAt: rfc3339(time.wallMs() + 7_200_000) })]);
    await time.advance(10_000);
    time.jumpWall(3_600_000);
    const [a, b] = runner.standing();
    expect(a).toMatchObject({ dueMs: 10_000, runs: failed.length });
    expect(b).toMatchObject({ dueMs: 10_000 - 3_600_000, runs: 0 });
    // Due by the wall clock since the jump, and by no other since longer.
    time.jumpWall(3_600_000);
    await time.advance(31_000);
    expect(started).toContain('b');
    const due = runner.standing().find(({ item }) => item === 'b')!.dueMs;
    expect(due).toBeGreaterThan(0);
    expect(due).toBeLessThan(31_000);
  });

  it('spreads from now what is late, each once, and lets pass what is on time', async () => {
    runner = make(64, systemRandom, 2);
    const due = (ms: number) => ({ dueAt: rfc3339(time.wallMs() + ms) });
    const late = Array.from({ length: 20 }, (_, at) => `late-${at}`);
    for (const id of late) runner.sync(id, [todo(id, due(-86_400_000))]);
    runner.sync('acme', [todo('near', due(2_000)), todo('just', due(-30_000))]);
    await settled();
    expect(started).toEqual(['late-0', 'just']);
    await time.advance(1_900);
    expect(started).toEqual(['late-0', 'just', 'late-1', 'late-2', 'late-3']);
    await time.advance(200);
    expect(started).toContain('near');
    await time.advance(60_000);
    expect(new Set(started)).toEqual(new Set([...late, 'just', 'near']));
  });

  it('spreads what was late and failed once more when it is told that the cause may be gone', async () => {
    runner = make(64, systemRandom, 2);
    const late = Array.from({ length: 20 }, (_, at) => `late-${at}`);
    acts = Object.fromEntries(late.map((id) => [id, refuse]));
    const dueAt = rfc3339(time.wallMs() - 86_400_000);
    for (const id of late) runner.sync(id, [todo(id, { dueAt })]);
    await time.advance(12_000);
    expect(new Set(started)).toEqual(new Set(late));
    [acts, started] = [{}, []];
    runner.retryNow();
    await settled();
    expect(started.length).toBeLessThan(3);
    await time.advance(5_000);
    expect(started.length).toBeLessThan(14);
  });

  it('takes a due time that was moved', async () => {
    const due = (ms: number) => ({ dueAt: rfc3339(time.wallMs() + ms) });
    runner.sync('acme', [todo('a', due(10_000))]);
    runner.sync('acme', [todo('a', due(20_000))]);
    await time.advance(15_000);
    expect(started).toEqual([]);
    runner.sync('acme', [todo('a', due(1_000))]);
    await time.advance(1_001);
    expect(started).toEqual(['a']);
  });

  it('runs no more at a time than it may, and all in the end', async () => {
    const holds = Array.from({ length: 7 }, held);
    let running = 0;
    let most = 0;
    acts = Object.fromEntries(
      holds.map(({ promise }, n) => [
        `i${n}`,
        async () => {
          running += 1;
          most = Math.max(most, running);
          await promise;
          running -= 1;
        },
      ]),
    );
    runner = make(3);
    for (const id of Object.keys(acts)) runner.sync(`tenant-${id}`, [todo(id)]);
    await settled();
    expect(started).toEqual(['i0', 'i1', 'i2']);
    for (const { release } of holds) {
      release();
      await settled();
    }
    expect(started).toEqual(Object.keys(acts));
    expect(most).toBe(3);
  });

  it('a subject whose items do not end leaves room for the others', async () => {
    runner = make(4);
    const hold = held();
    const hanging = Array.from({ length: 20 }, (_, at) => `hangs-${at}`);
    acts = Object.fromEntries(hanging.map((item) => [item, () => hold.promise]));
    runner.sync(
      'slow',
      hanging.map((item) => todo(item)),
    );
    runner.sync('quick', [todo('a'), todo('b'), todo('c')]);
    await settled();
    expect(started).toEqual(['hangs-0', 'hangs-1', 'a', 'b', 'c']);
    hold.release();
    await settled();
    expect(new Set(started)).toEqual(new Set([...hanging, 'a', 'b', 'c']));
  });

  it('starts nothing after a stop, which waits for what runs', async () => {
    const hold = held();
    acts = { a: () => hold.promise, b: refuse };
    runner = make(1);
    runner.sync('acme', [todo('a'), todo('b')]);
    await settled();
    let stopped = false;
    const stopping = runner.stop().then(() => {
      stopped = true;
    });
    await settled();
    expect(stopped).toBe(false);
    hold.release();
    await stopping;
    runner.sync('acme', [todo('c')]);
    runner.retryNow();
    await time.advance(60_000);
    expect(started).toEqual(['a']);
  });
});
