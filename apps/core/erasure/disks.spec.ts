import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readConfig } from '@kcm/platform';
import { disksOf } from './disks.js';

describe('The disks of the stores', () => {
  let dir: string;
  /** A file system of its own on every Linux. */
  let other: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kcm-disks-'));
    other = mkdtempSync('/dev/shm/kcm-disks-');
    for (const file of ['vault.db', 'erasure.db', 'erasure-copy/erasure.db', 'erasure-backups/x'])
      make(join(dir, file));
    for (const file of ['a/erasure.db', 'b/erasure.db', 'backups/x']) make(join(other, file));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
    rmSync(other, { recursive: true });
  });
  const make = (file: string): void => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
  };
  const disks = (env: NodeJS.ProcessEnv) => disksOf(readConfig(env), dir);
  const apart = (): NodeJS.ProcessEnv => ({
    KCM_ERASURE: `sqlite:${other}/a/erasure.db,sqlite:${other}/b/erasure.db`,
    KCM_ERASURE_BACKUPS: join(other, 'backups'),
  });

  it('are one by default, and where one copy or the backups lie beside the vault', () => {
    const together = { together: true };
    expect(disks({})).toEqual({ ...together, erasureAtServer: false, oneErasureDisk: true });
    expect(
      disks({ ...apart(), KCM_ERASURE: `sqlite:,sqlite:${other}/a/erasure.db` }),
    ).toMatchObject({ ...together, oneErasureDisk: false });
    expect(disks({ ...apart(), KCM_ERASURE_BACKUPS: 'erasure-backups' })).toMatchObject(together);
    const none = { KCM_ERASURE_BACKUPS: 'erasure-backups', KCM_ERASURE_BACKUP_DAYS: '0' };
    expect(disks({ ...apart(), ...none })).toMatchObject({ together: false });
  });

  it('are apart when neither a copy nor a backup lies on that of the vault', () => {
    expect(disks(apart())).toEqual({
      together: false,
      erasureAtServer: false,
      oneErasureDisk: true,
    });
  });

  it('are one where that cannot be seen: a file that is away, a vault at a server of this machine', () => {
    rmSync(join(other, 'a'), { recursive: true });
    expect(disks(apart())).toMatchObject({ together: true });
    make(join(other, 'a/erasure.db'));
    for (const [host, together] of [
      ['127.0.0.1:27017', true],
      ['db-1,localhost:27017', true],
      ['[::1]:27017', true],
      ['db-1:27017,db-2:27017', false],
    ] as const)
      expect([host, disks({ ...apart(), KCM_VAULT: `mongodb://u:p@${host}/v` }).together]).toEqual([
        host,
        together,
      ]);
  });

  it('of a server are not seen: what it keeps of what was erased is not known', () => {
    const env = { ...apart(), KCM_ERASURE: `sqlite:${other}/a/erasure.db,mongodb://db-1/erasure` };
    expect(disks(env)).toMatchObject({ erasureAtServer: true, oneErasureDisk: false });
  });
});
