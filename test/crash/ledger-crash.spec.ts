import {
  systemRandom,
  type NewEvent,
  type OneOrMore,
  type Position,
  type RecordedEvent,
  type StreamId,
} from '@kcm/kernel';
import type { FilteredFeed, Ledger } from '@kcm/ledger';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { FIGURES } from '@kcm/testing/figures';
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

interface Appends {
  readonly WRITERS: number;
  readonly streamOf: (run: string, writer: number) => StreamId;
  readonly appendOf: (run: string, writer: number, append: number) => OneOrMore<NewEvent>;
}
// Plain JavaScript, because the writers run it outside Jest.
const APPENDS = './ledger-appends.mjs';
const { WRITERS, appendOf, streamOf } = (await import(APPENDS)) as Appends;

const KILLS = FIGURES.ledgerKills;
type Child = ChildProcessByStdio<null, Readable, null>;
interface Ack {
  readonly writer: number;
  readonly append: number;
  readonly revision: number;
  readonly position: string;
}

describe('the ledger under fifty writers', () => {
  let folder: string;
  let file: string;
  let running: Child | null = null;
  let spoken: readonly string[] = [];
  const open = () => openSqliteLedger({ file, random: systemRandom });

  /** Starts the writers; `lines` grows while they work. */
  const start = (run: string): { child: Child; lines: string[]; ended: Promise<unknown> } => {
    const child = spawn(process.execPath, [resolve('test/crash/ledger-writers.mjs'), file, run], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running = child;
    const lines: string[] = [];
    spoken = lines;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop()!;
      lines.push(...parts);
    });
    return { child, lines, ended: once(child, 'close') };
  };
  const acksOf = (lines: readonly string[]): Ack[] =>
    lines
      .map((line) => line.split(' '))
      .filter(([kind]) => kind === 'ok')
      .map(([, writer, append, revision, position]) => ({
        writer: Number(writer),
        append: Number(append),
        revision: Number(revision),
        position: position!,
      }));
  /** Fails by itself, and says how far the writers came, when they ended or hang. */
  const until = async (what: () => boolean): Promise<void> => {
    const end = performance.now() + 50_000;
    while (!what()) {
      const gone = running !== null && (running.exitCode ?? running.signalCode) !== null;
      if (gone || performance.now() > end)
        throw new Error(
          `the writers ${gone ? `ended (${String(running?.exitCode ?? running?.signalCode)})` : 'hang'} after: ${spoken.slice(-3).join('; ')}`,
        );
      await sleep(2);
    }
  };

  const readAfter = async (
    ledger: Ledger & FilteredFeed,
    after: Position | 'start',
  ): Promise<RecordedEvent[]> => {
    const events: RecordedEvent[] = [];
    for await (const item of ledger.feed(after, new AbortController().signal)) {
      if (item.kind === 'events') events.push(...item.events);
      if (item.kind === 'caughtUp') break;
    }
    return events;
  };

  /** Nothing lost, no half, no double: of what one run of the writers left. */
  const check = async (
    ledger: Ledger & FilteredFeed,
    run: string,
    after: Position | 'start',
    acks: readonly Ack[],
  ): Promise<void> => {
    const before = await readAfter(ledger, after);
    const byId = new Map(before.map((event) => [event.id, event]));
    for (const { writer, append, revision, position } of acks) {
      const last = byId.get(appendOf(run, writer, append).at(-1)!.id);
      if (last?.revision !== revision || last.position !== position)
        throw new Error(`lost: run ${run}, writer ${writer}, append ${append}`);
    }
    // What was on its way when the process ended: repeating it settles it, once.
    for (let writer = 0; writer < WRITERS; writer += 1) {
      const mine = acks.filter((ack) => ack.writer === writer).at(-1);
      const append = mine === undefined ? 0 : mine.append + 1;
      const events = appendOf(run, writer, append);
      const stored = events.filter(({ id }) => byId.has(id)).length;
      expect([0, events.length]).toContain(stored);
      const expected = mine === undefined ? 'noStream' : mine.revision;
      const again = await ledger.append(streamOf(run, writer), expected, events);
      expect(again.replayed).toBe(stored > 0);
    }
    const all = await readAfter(ledger, after);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const settled = acks.reduce(
      (sum, { writer, append }) => sum + appendOf(run, writer, append).length,
      0,
    );
    const repeated = Array.from({ length: WRITERS }, (_, writer) => {
      const mine = acks.filter((ack) => ack.writer === writer).length;
      return appendOf(run, writer, mine).length;
    }).reduce((sum, count) => sum + count, 0);
    expect(all).toHaveLength(settled + repeated);
    const next = new Map<string, number>();
    for (const { stream, revision } of all) {
      expect(revision).toBe(next.get(stream) ?? 0);
      next.set(stream, revision + 1);
    }
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-crash-'));
    file = join(folder, 'ledger.db');
  });
  afterEach(async () => {
    if (running?.exitCode === null && running.signalCode === null) {
      running.kill('SIGKILL');
      await once(running, 'close');
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it(`loses, halves and doubles nothing over ${KILLS} kills`, async () => {
    let after: Position | 'start' = 'start';
    let acknowledged = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const run = `k${kill}`;
      const { child, lines, ended } = start(run);
      await until(() => lines.length > kill * 40 || child.exitCode !== null);
      child.kill('SIGKILL');
      await ended;
      expect(child.signalCode).toBe('SIGKILL');
      const acks = acksOf(lines);
      acknowledged += acks.length;
      const ledger = await open();
      await check(ledger, run, after, acks);
      after = (await ledger.head())!;
      await ledger.close();
    }
    expect(acknowledged).toBeGreaterThan(1000);
  }, 1_800_000);

  it('acknowledges nothing while the disk refuses, and goes on by itself afterwards', async () => {
    const { child, lines, ended } = start('full');
    const limit = (bytes: number | 'unlimited'): void => {
      execFileSync('prlimit', [`--pid=${child.pid}`, `--fsize=${bytes}:unlimited`]);
    };
    const failures = (): number => lines.filter((line) => line.startsWith('failed')).length;
    await until(() => acksOf(lines).length > 200);
    // Every write beyond the first byte of a file fails (EFBIG), as on a broken or full disk: the
    // size of the log would not do, since a log that has wrapped around grows no more.
    limit(1);
    await until(() => failures() > 3 * WRITERS);
    const acked = acksOf(lines).length;
    const failed = failures();
    await until(() => failures() > failed + 3 * WRITERS);
    expect(acksOf(lines).length).toBe(acked);
    limit('unlimited');
    await until(() => acksOf(lines).length > acked + 200);
    child.kill('SIGKILL');
    await ended;
    const said = new Set(lines.map((line) => (line.startsWith('ok') ? 'ok' : line)));
    for (const name of ['LedgerOutcomeUnknown', 'LedgerUnavailable', 'LedgerFull'])
      said.delete(`failed ${name}`);
    expect([...said].toSorted()).toEqual(['ok', 'open']);
    const ledger = await open();
    await check(ledger, 'full', 'start', acksOf(lines));
    await ledger.close();
  }, 60_000);
});
