import { cpSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  systemRandom,
  type NewEvent,
  type OneOrMore,
  type RecordedEvent,
  type StreamId,
} from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { FIGURES } from '@kcm/testing/figures';
import { say, Seeded, seedOf } from '../support/seeded.js';
import { removeFolder, scratchFolder } from '../support/server.js';
import { type Fault, runFaulty, type Traced } from '../support/strace.js';
import { readAll } from './ledger-audit.js';

interface Appends {
  readonly streamOf: (run: string, writer: number) => StreamId;
  readonly appendOf: (run: string, writer: number, append: number) => OneOrMore<NewEvent>;
}
// Plain JavaScript, because the writer runs it outside Jest.
const APPENDS = './ledger-appends.mjs';
const { appendOf, streamOf } = (await import(APPENDS)) as Appends;

const APPENDED = 2;
/** Enough to have the log moved into the file while the ledger is open. */
const MANY = 300;
const CALLS = ['pwrite64', 'fsync', 'ftruncate'] as const;

interface Faulty extends Traced {
  /** Whole appends that a new start finds of this run. */
  readonly kept: number;
}
const acksOf = ({ lines }: Traced): number => lines.filter((line) => line.startsWith('ok ')).length;
const injected = ({ calls }: Traced): number => calls.filter((call) => call.endsWith('!')).length;

describe('the ledger on a disk that fails', () => {
  let folder: string;
  let tries = 0;

  /** Starts the writer on a copy of a killed ledger, and a ledger without faults after it. */
  const writeUnder = async (
    fault: Fault | null,
    appends = APPENDED,
    files = ['', '-wal'],
  ): Promise<Faulty> => {
    tries += 1;
    const dir = join(folder, `try-${tries}`);
    cpSync(join(folder, 'base'), dir, { recursive: true });
    const file = join(dir, 'ledger.db');
    const program = [resolve('test/crash/ledger-lone-writer.mjs'), file, 'run', String(appends)];
    const paths = files.map((end) => `${file}${end}`);
    const traced = await runFaulty(program, paths, fault, join(dir, 'trace'));
    const ledger = await openSqliteLedger({ file, random: systemRandom });
    const kept = wholeAppends(await readAll(ledger));
    await goesOn(ledger, kept);
    await ledger.close();
    removeFolder(dir);
    return { ...traced, kept };
  };

  /** @throws Error when half an append is there, or one without those before it */
  const wholeAppends = (events: readonly RecordedEvent[]): number => {
    const ids = events.filter(({ stream }) => stream === streamOf('run', 0)).map(({ id }) => id);
    let kept = 0;
    for (let at = 0; at < ids.length; kept += 1) {
      const wanted = appendOf('run', 0, kept).map(({ id }) => id);
      expect(ids.slice(at, at + wanted.length)).toEqual(wanted);
      at += wanted.length;
    }
    expect(events.filter(({ stream }) => stream === streamOf('base', 0))).toHaveLength(6);
    return kept;
  };

  /** What was on its way is settled by repeating it, once. */
  const goesOn = async (ledger: Ledger, kept: number): Promise<void> => {
    const before = Array.from({ length: kept }, (_, append) => appendOf('run', 0, append).length);
    const revision = before.reduce((sum, count) => sum + count, 0) - 1;
    const expected = revision < 0 ? 'noStream' : revision;
    const events = appendOf('run', 0, kept);
    expect(await ledger.append(streamOf('run', 0), expected, events)).toMatchObject({
      replayed: false,
    });
  };

  beforeAll(async () => {
    folder = scratchFolder('faults');
    const file = join(folder, 'base', 'ledger.db');
    const program = [resolve('test/crash/ledger-lone-writer.mjs'), file, 'base', '3'];
    await runFaulty(program, [file], null, join(folder, 'trace'));
  });
  afterAll(() => removeFolder(folder));

  it('killed at each write, cut and sync of its appends holds each of them wholly or not at all', async () => {
    let kills = 0;
    for (const call of CALLS) {
      for (let when = 1; ; when += 1) {
        const run = await writeUnder({ call, does: 'signal=KILL', when: String(when) });
        if (run.lines.at(-1) === 'end') {
          expect(run.calls.filter((each) => each === call).length).toBeLessThan(when);
          break;
        }
        kills += 1;
        expect(run.kept).toBeGreaterThanOrEqual(acksOf(run));
        expect(run.kept).toBeLessThanOrEqual(acksOf(run) + 1);
      }
    }
    say(`${kills} kills`);
    expect(kills).toBeGreaterThan(15);
  }, 120_000);

  it.each([
    ['pwrite64', 'error=EIO'],
    ['pwrite64', 'error=ENOSPC'],
    ['ftruncate', 'error=EIO'],
  ] as const)(
    'refused one %s (%s) acknowledges nothing that is not stored, and goes on by itself',
    async (call, does) => {
      let refused = 0;
      for (let when = 1; ; when += FIGURES.faultStep) {
        const run = await writeUnder({ call, does, when: String(when) });
        expect(run.kept).toBeGreaterThanOrEqual(acksOf(run));
        if (injected(run) === 0) break;
        refused += 1;
        // Before it is open there is nothing to go on with: it says so, and the next start works.
        if (run.lines[0] !== 'open') expect(run.stderr).toContain("code: 'ledger_unavailable'");
        else expect(run.lines.at(-1)).toBe('end');
      }
      expect(refused).toBeGreaterThan(0);
    },
    120_000,
  );

  it.each(['error=EIO', 'error=ENOSPC'])(
    'refused every write from some point on (%s) acknowledges nothing after it',
    async (does) => {
      const draw = new Seeded(seedOf());
      for (let left = FIGURES.persistentFaults; left > 0; left -= 1) {
        const when = `${draw.between(5, 10)}+`;
        const run = await writeUnder({ call: 'pwrite64', does, when });
        expect(injected(run)).toBeGreaterThan(0);
        expect(run.lines.filter((line) => line.startsWith('failed'))).not.toHaveLength(0);
        expect(run.lines.filter((line) => line.startsWith('failed'))).toEqual(
          expect.arrayContaining([expect.stringContaining('ledger_unavailable')]),
        );
        expect(run.lines).not.toContain('end');
        expect(run.kept).toBeGreaterThanOrEqual(acksOf(run));
      }
    },
    120_000,
  );

  it.each(['error=EIO', 'error=ENOSPC'])(
    'stops at the first sync that fails (%s), coded, and never syncs that file again',
    async (does) => {
      let stopped = 0;
      for (let when = 1; ; when += 1) {
        const run = await writeUnder({ call: 'fsync', does, when: String(when) });
        expect(run.kept).toBeGreaterThanOrEqual(acksOf(run));
        if (injected(run) === 0) break;
        expect(run.stderr).toMatch(/ledger_unavailable/);
        expect(run.stderr).toMatch(/takes nothing more before a new start: a sync failed/);
        if (run.lines[0] !== 'open') continue;
        stopped += 1;
        expect(run.code).toBe(3);
        expect(run.calls.at(-1)).toBe('fsync!');
      }
      expect(stopped).toBeGreaterThanOrEqual(APPENDED);
    },
    120_000,
  );

  it('stops also when the sync fails that moves the log into the file', async () => {
    const fault = { call: 'fsync', does: 'error=EIO', when: '2' } as const;
    const run = await writeUnder(fault, MANY, ['']);
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(/^ledger_unavailable .*a sync failed/);
    expect(acksOf(run)).toBeGreaterThan(100);
    expect(run.kept).toBeGreaterThanOrEqual(acksOf(run));
    expect(run.calls.at(-1)).toBe('fsync!');
  }, 60_000);
});
