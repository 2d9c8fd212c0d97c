import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreDamaged, StoreUnavailable } from './errors.js';
import { assertLogWhole } from './log-check.js';
import { openStore } from './store.js';

const FRAME_BYTES = 24 + 4096;

describe('The check of a write-ahead log', () => {
  let folder: string;
  let whole: Buffer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-log-'));
    const file = join(folder, 'made.db');
    const migrations = ['CREATE TABLE things (name TEXT NOT NULL) STRICT'];
    const store = await openStore({ file, applicationId: 1, migrations });
    for (let n = 0; n < 12; n += 1)
      await store.write([{ sql: 'INSERT INTO things VALUES (?)', params: [`name${n}`] }]);
    whole = readFileSync(`${file}-wal`);
    await store.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const frames = () => (whole.length - 32) / FRAME_BYTES;
  const check = (log: Buffer, windowBytes?: number): void => {
    const file = join(mkdtempSync(join(folder, 'copy-')), 'copy.db');
    writeFileSync(`${file}-wal`, log);
    assertLogWhole(file, windowBytes);
  };
  const flipped = (at: number): Buffer => {
    const log = Buffer.from(whole);
    log[at]! ^= 4;
    return log;
  };

  it.each([[undefined], [FRAME_BYTES], [2 * FRAME_BYTES + 100]])(
    'says the same whatever is read of it at a time: %p bytes',
    (windowBytes) => {
      expect(frames()).toBeGreaterThan(10);
      check(whole, windowBytes);
      for (let frame = 0; frame < frames() - 1; frame += 1) {
        const damaged = flipped(32 + frame * FRAME_BYTES + 2_000);
        expect(() => check(damaged, windowBytes)).toThrow(`damaged: frame ${frame + 1} (page `);
      }
      check(flipped(whole.length - 2_000), windowBytes);
      check(whole.subarray(0, whole.length - 7), windowBytes);
      expect(() => check(flipped(9), windowBytes)).toThrow(StoreDamaged);
    },
  );

  it('of a log that cannot be read says so', () => {
    const file = join(folder, 'odd.db');
    mkdirSync(`${file}-wal`);
    expect(() => assertLogWhole(file)).toThrow(StoreUnavailable);
  });
});
