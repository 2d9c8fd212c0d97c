import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type RecordedEvent, systemRandom } from '@kcm/kernel';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { FIGURES } from '@kcm/testing/figures';
import { say, Seeded, seedOf } from '../support/seeded.js';
import { removeFolder, scratchFolder } from '../support/server.js';
import { runFaulty } from '../support/strace.js';
import { type LedgerFiles, LedgerReading, type Reading } from './ledger-reading.js';

const APPENDS = 12;
/** Of the last appends each byte is a place to cut at. */
const CUT_APPENDS = 3;
const LOG_HEADER = 32;
const PAGE = 4096;
const FRAME = 24 + PAGE;
/**
 * A place that somebody can look at: stream and revision, a position, or the file. A flip may have
 * changed which column is which: a row says what it holds, and it does not add up.
 */
const LOCATED = /ledger\.db|The event .* of .* at .* is damaged|has no event at \d+/s;

describe('the bytes of a ledger', () => {
  const seed = seedOf();
  const draw = new Seeded(seed);
  let folder: string;
  /** As a kill and as a clean stop left them. */
  let killed: LedgerFiles & { readonly log: Buffer };
  let stopped: LedgerFiles;
  let whole: readonly RecordedEvent[];
  let reading: LedgerReading;

  beforeAll(async () => {
    say(`seed ${seed}`);
    folder = scratchFolder('bytes');
    const file = join(folder, 'ledger.db');
    const writer = resolve('test/crash/ledger-lone-writer.mjs');
    await runFaulty([writer, file, 'run', String(APPENDS)], [file], null, join(folder, 'trace'));
    killed = { db: readFileSync(file), log: readFileSync(`${file}-wal`) };
    // The last to close it moves the log into the database.
    await (await openSqliteLedger({ file, random: systemRandom })).close();
    stopped = { db: readFileSync(file), log: null };
    reading = new LedgerReading();
    whole = (await reading.read(killed)).events!;
  }, 60_000);
  afterAll(() => {
    reading.close();
    removeFolder(folder);
  });

  const flipped = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at]! ^= 1 << draw.between(0, 7);
    return copy;
  };
  /** Ends of the transactions in the log. */
  const ends = (): number[] => {
    const found: number[] = [];
    for (let at = LOG_HEADER; at + FRAME <= killed.log.length; at += FRAME)
      if (killed.log.readUInt32BE(at + 4) !== 0) found.push(at + FRAME);
    return found;
  };
  /** What a log of so many bytes holds: each transaction behind its end is one append less. */
  const heldBy = (bytes: number): readonly RecordedEvent[] => {
    const lost = ends().filter((end) => end > bytes).length;
    const commands = [...new Set(whole.map(({ meta }) => meta.commandId))].slice(0, APPENDS - lost);
    return whole.filter(({ meta }) => commands.includes(meta.commandId));
  };
  /** Found and said where, or nothing was changed by it. @returns whether it was found */
  const foundOrWhole = (got: Reading): boolean => {
    if (got.events !== undefined) {
      expect(got.events).toEqual(whole);
      return false;
    }
    expect(got).toEqual({ code: 'integrity', message: expect.stringMatching(LOCATED) as string });
    return true;
  };

  it('are read alike as a kill and as a clean stop left them', async () => {
    expect(whole.length).toBeGreaterThan(APPENDS);
    expect((await reading.read(stopped)).events).toEqual(whole);
  });

  it('cut anywhere in their last records hold everything up to the last whole one', async () => {
    const size = killed.log.length;
    const first = ends().at(-1 - CUT_APPENDS)!;
    const places = new Set<number>();
    for (let at = first; at <= size; at += FRAME)
      for (const beside of [-1, 0, 1, 23, 24, 25]) places.add(at + beside);
    const every = FIGURES.tailCuts > size - first;
    for (let left = every ? size - first : FIGURES.tailCuts; left > 0; left -= 1)
      places.add(every ? first + left : draw.between(first, size));
    const lengths = new Set<number>();
    for (const bytes of places) {
      if (bytes > size) continue;
      const { events } = await reading.read({ ...killed, log: killed.log.subarray(0, bytes) });
      expect(events).toEqual(heldBy(bytes));
      lengths.add(events!.length);
    }
    say(`${places.size} cuts`);
    expect(lengths.size).toBeGreaterThan(CUT_APPENDS);
  }, 7_200_000);

  it('cut in the database itself are found and located', async () => {
    const { db } = stopped;
    // A file of one byte counts as an empty one for SQLite.
    const places = new Set<number>([2, db.length - 1]);
    for (let at = PAGE; at < db.length; at += PAGE)
      for (const beside of [-1, 0, 1]) places.add(at + beside);
    for (let left = FIGURES.databaseCuts; left > 0; left -= 1)
      places.add(draw.between(2, db.length - 1));
    for (const bytes of places)
      expect(await reading.read({ db: db.subarray(0, bytes), log: null })).toMatchObject({
        code: 'integrity',
        message: expect.stringMatching(LOCATED) as string,
      });
  }, 300_000);

  it('flipped before a start are found and located, or were nobody’s', async () => {
    let found = 0;
    for (let left = FIGURES.flipsAtStart; left > 0; left -= 1) {
      const { db } = stopped;
      const at = draw.between(0, db.length - 1);
      if (foundOrWhole(await reading.read({ db: flipped(db, at), log: null }))) found += 1;
    }
    say(`${FIGURES.flipsAtStart} bits flipped: ${found} found`);
    expect(found).toBeGreaterThan(FIGURES.flipsAtStart / 4);
  }, 7_200_000);

  it('flipped in the log are found, but in its last record, where they are a torn end', async () => {
    const { db, log } = killed;
    const last = ends().at(-2)!;
    let found = 0;
    let torn = 0;
    for (let left = FIGURES.flipsInLog; left > 0; left -= 1) {
      const at = draw.between(0, log.length - 1);
      const got = await reading.read({ db, log: flipped(log, at) });
      if (at >= last && got.events !== undefined && got.events.length < whole.length) {
        expect(got.events).toEqual(heldBy(at));
        torn += 1;
      } else if (foundOrWhole(got)) found += 1;
    }
    say(`${FIGURES.flipsInLog} bits flipped: ${found} found, ${torn} taken for a torn end`);
    expect(found).toBeGreaterThan(FIGURES.flipsInLog / 2);
  }, 7_200_000);

  it('flipped in a ledger that is open are found when they are read, never served', async () => {
    const { db } = stopped;
    let found = 0;
    for (let left = FIGURES.flipsWhileOpen; left > 0; left -= 1) {
      const at = draw.between(PAGE, db.length - 1);
      const got = await reading.read(stopped, { at, byte: flipped(db, at)[at]! });
      if (foundOrWhole(got)) found += 1;
    }
    say(`${FIGURES.flipsWhileOpen} bits flipped, ${found} found`);
    expect(found).toBeGreaterThan(FIGURES.flipsWhileOpen / 10);
  }, 7_200_000);
});
