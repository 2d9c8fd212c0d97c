import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oneOrMore, systemRandom } from '@kcm/kernel';
import type { Copies } from '@kcm/vault';
import { openReplicated } from '@kcm/vault/replicated';
import { openSqliteBlobStore } from '@kcm/vault/sqlite';
import { ErasureBackups } from './backups.js';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-11-30T17:00:00Z');

describe('The backups of the erasure store', () => {
  let scratch: string;
  let folder: string;
  let erasure: Copies;
  let now = START;
  const key = Buffer.from('an erasure key that is looked for byte by byte');
  const backups = (days = 7) =>
    new ErasureBackups({ erasure, folder, days, clock: { wallMs: () => now } });
  const names = () =>
    existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('erasure-')) : [];
  beforeEach(async () => {
    now = START;
    scratch = mkdtempSync(join(tmpdir(), 'kcm-backups-'));
    folder = join(scratch, 'backups');
    const file = join(scratch, 'erasure.db');
    const place = {
      name: file,
      open: () => openSqliteBlobStore({ file, role: 'erasure' as const }),
    };
    erasure = await openReplicated(oneOrMore([place])!, systemRandom);
    await erasure.put('tek/acme', key);
  });
  afterEach(async () => {
    await erasure.close();
    rmSync(scratch, { recursive: true });
  });

  it('are taken once a day, for this user alone, and each opens as an erasure store', async () => {
    const kept = backups();
    for (const hours of [0, 1, 23, 24, 30, 48]) {
      now = START + hours * HOUR;
      await kept.keep();
    }
    expect(kept.trouble).toBeNull();
    expect(names()).toEqual([
      'erasure-20261130T170000Z.db',
      'erasure-20261201T170000Z.db',
      'erasure-20261202T170000Z.db',
    ]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of names()) {
      const file = join(folder, name);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const copy = await openSqliteBlobStore({ file, role: 'erasure' });
      expect(await copy.get('tek/acme')).toEqual(key);
      await copy.close();
    }
  });

  it('end after their days: each is overwritten first, so that an open file of it shows zeros', async () => {
    await backups().keep();
    const [first] = names();
    const file = join(folder, first!);
    expect(readFileSync(file).includes(key)).toBe(true);
    // Whoever still has the file open sees what became of its bytes.
    const descriptor = openSync(file, 'r');
    const bytes = Buffer.alloc(statSync(file).size);
    now = START + 7 * DAY - 1;
    await backups().keep();
    expect(names()).toContain(first);
    now = START + 7 * DAY;
    await backups().keep();
    expect(names()).not.toContain(first);
    readSync(descriptor, bytes, 0, bytes.length, 0);
    closeSync(descriptor);
    expect(bytes.equals(Buffer.alloc(bytes.length))).toBe(true);
  });

  it('say until when one of them holds what is erased, and forget it with the last', async () => {
    const kept = backups();
    await kept.keep();
    now = START + DAY;
    await kept.keep();
    await erasure.erase('tek/acme');
    now = START + 2 * DAY;
    await kept.keep();
    const until = await kept.heldUntil('tek/acme');
    expect([until! >= START + 8 * DAY, until! < START + 8 * DAY + HOUR]).toEqual([true, true]);
    expect(await kept.heldUntil('tek/nobody')).toBeNull();
    now = until!;
    await kept.keep();
    expect(await kept.heldUntil('tek/acme')).toBeNull();
  });

  it('that was cut while it was made is overwritten and made again; one that cannot be read may hold anything', async () => {
    await backups().keep();
    const [first] = names();
    writeFileSync(join(folder, 'erasure-20261130T180000Z.db.part'), key);
    expect(await backups().heldUntil('tek/nobody')).not.toBeNull();
    await backups().keep();
    expect(names()).toEqual([first]);
    writeFileSync(join(folder, first!), 'no database');
    expect(await backups().heldUntil('tek/nobody')).not.toBeNull();
  });

  it('are off with 0 days, and those of before go', async () => {
    await backups().keep();
    await backups(0).keep();
    expect(names()).toEqual([]);
  });

  it('that cannot be kept say why, until they can', async () => {
    writeFileSync(folder, 'a file');
    const kept = backups();
    await kept.keep();
    expect(kept.trouble).toMatch(/ENOTDIR|EEXIST/);
    rmSync(folder);
    await kept.keep();
    expect(kept.trouble).toBeNull();
  });
});
