import { systemRandom, type LedgerId, type Position, type StreamId } from '@kcm/kernel';
import { FolderLocked } from '@kcm/sqlite';
import { sampleEvent } from '@kcm/testing';
import * as fc from 'fast-check';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteLedger } from './index.js';
import { decodeRow, type EventRow } from './rows.js';

describe('SqliteLedger', () => {
  let folder: string;
  let file: string;
  const open = () => openSqliteLedger({ file, random: systemRandom });
  const stream = 'tenant-acme' as StreamId;
  /** Twenty events in two streams, closed again. */
  const filled = async (): Promise<LedgerId> => {
    const ledger = await open();
    for (let revision = 0; revision < 10; revision += 1) {
      const expected = revision === 0 ? 'noStream' : revision - 1;
      for (const name of [stream, 'access-acme' as StreamId])
        await ledger.append(name, expected, [sampleEvent({ revision })]);
    }
    await ledger.close();
    return ledger.id;
  };
  const alter = (sql: string): void => {
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
  };
  const readAll = async (ledger: Awaited<ReturnType<typeof open>>): Promise<string[]> => {
    const seen: string[] = [];
    for await (const item of ledger.feed('start', new AbortController().signal)) {
      if (item.kind === 'caughtUp') break;
      if (item.kind === 'events') seen.push(...item.events.map((event) => JSON.stringify(event)));
    }
    return seen;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-ledger-'));
    file = join(folder, 'ledger.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each([
    ['data', `data = replace(data, '4', '5')`],
    ['meta', `meta = replace(meta, 'acme', 'evil')`],
    ['type', `type = 'SomethingElse'`],
    ['id', `id = 'other'`],
    ['schema version', `schema_version = 2`],
    ['checksum', `checksum = checksum + 1`],
  ])('names the event whose %s was altered and serves none of it', async (_what, set) => {
    await filled();
    alter(`UPDATE events SET ${set} WHERE stream = '${stream}' AND revision = 4`);
    const ledger = await open();
    const damage = { code: 'integrity', message: expect.stringContaining(`4 of ${stream}`) };
    await expect(ledger.readStream(stream, 0, 100)).rejects.toMatchObject(damage);
    await expect(readAll(ledger)).rejects.toMatchObject(damage);
    await expect(ledger.readStream(stream, 0, 4)).resolves.toMatchObject({ kind: 'page' });
    await ledger.close();
  });

  it('notices an event that is missing or was moved', async () => {
    await filled();
    alter(`DELETE FROM events WHERE stream = '${stream}' AND revision = 4`);
    let ledger = await open();
    await expect(ledger.readStream(stream, 0, 100)).rejects.toThrow(`4 of ${stream} is missing`);
    await expect(readAll(ledger)).rejects.toThrow('no event at 9');
    await ledger.close();
    alter(`UPDATE events SET revision = 4 WHERE stream = '${stream}' AND revision = 5`);
    ledger = await open();
    await expect(ledger.readStream(stream, 0, 5)).rejects.toThrow(`4 of ${stream}`);
    await ledger.close();
  });

  it('finds every flipped bit of the file: at open, or when it reads; or nothing was hurt', async () => {
    const id = await filled();
    const clean = readFileSync(file);
    let ledger = await open();
    const whole = await readAll(ledger);
    await ledger.close();
    let found = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: clean.length - 1 }),
        fc.integer({ min: 0, max: 7 }),
        async (at, bit) => {
          const flipped = Buffer.from(clean);
          flipped[at]! ^= 1 << bit;
          writeFileSync(file, flipped);
          let opened: Awaited<ReturnType<typeof open>> | null = null;
          try {
            opened = await open();
            expect(opened.id).toBe(id);
            expect(await readAll(opened)).toEqual(whole);
            const page = await opened.readStream(stream, 0, 100);
            expect(page).toMatchObject({ kind: 'page', last: 9, end: true });
          } catch (error) {
            expect(error).toMatchObject({ code: 'integrity' });
            found += 1;
          } finally {
            await opened?.close();
          }
        },
      ),
      { numRuns: 20 },
    );
    expect(found).toBeGreaterThan(2);
    writeFileSync(file, clean);
    ledger = await open();
    expect(await readAll(ledger)).toEqual(whole);
    await ledger.close();
  });

  it('begins a feed with one event, so that looking at the next one costs no page', async () => {
    await filled();
    const ledger = await open();
    const sizes: number[] = [];
    for await (const item of ledger.feed('start', new AbortController().signal)) {
      if (item.kind === 'caughtUp') break;
      if (item.kind === 'events') sizes.push(item.events.length);
    }
    expect(sizes).toEqual([1, 19]);
    await ledger.close();
  });

  it('refuses a position behind its end: the reader followed another ledger', async () => {
    await filled();
    const ledger = await open();
    const feed = ledger.feed('0000000000000099' as Position, new AbortController().signal);
    await expect(feed[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'integrity' });
    await ledger.close();
  });

  it('does not let a second process open its folder, names the first, and survives its kill', async () => {
    const id = await filled();
    const holder = spawn(
      process.execPath,
      [
        '-e',
        `const db = new (require('node:sqlite').DatabaseSync)('${folder}/lock.db');
         db.exec('BEGIN EXCLUSIVE');
         require('node:fs').writeFileSync('${folder}/lock.pid', process.pid + '\\n');
         console.log('held'); setInterval(() => {}, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(holder.stdout, 'data');
    await expect(open()).rejects.toThrow(FolderLocked);
    await expect(open()).rejects.toThrow(`process ${holder.pid}`);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const ledger = await open();
    expect(ledger.id).toBe(id);
    await ledger.close();
  });

  it('reads what a killed process left: the log beside the file', async () => {
    const ledger = await open();
    await ledger.append(stream, 'noStream', [sampleEvent({ n: 1 }), sampleEvent({ n: 2 })]);
    const copy = mkdtempSync(join(tmpdir(), 'kcm-ledger-copy-'));
    for (const end of ['', '-wal']) cpSync(`${file}${end}`, join(copy, `ledger.db${end}`));
    const second = await openSqliteLedger({ file: join(copy, 'ledger.db'), random: systemRandom });
    expect(await readAll(second)).toEqual(await readAll(ledger));
    expect(second.id).toBe(ledger.id);
    await second.close();
    await ledger.close();
    rmSync(copy, { recursive: true });
  });

  it('locates a row that is not JSON though its checksum matches', () => {
    const row: EventRow = {
      position: 3,
      stream,
      revision: 1,
      id: 'a',
      type: 'T',
      schema_version: 1,
      data: '{',
      meta: '{}',
      checksum: 0,
    };
    expect(() => decodeRow(row)).toThrow(`1 of ${stream} at 3 is damaged`);
    expect(() => decodeRow({ ...row, revision: -1 })).toThrow('damaged');
  });
});
