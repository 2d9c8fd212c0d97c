import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobStoreContract } from '@kcm/testing';
import { openSqliteBlobStore } from '@kcm/vault/sqlite';

const ENDS = ['', '-wal', '-shm'];

blobStoreContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-vault-'));
  const file = join(folder, 'vault.db');
  return {
    open: () => openSqliteBlobStore({ file, role: 'vault' }),
    dispose: async () => rmSync(folder, { recursive: true }),
    files: () =>
      ENDS.map((end) => file + end).flatMap((f) => (existsSync(f) ? readFileSync(f) : [])),
  };
});

describe('the SQLite blob store', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-vault-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has an empty log after an erase', async () => {
    const file = join(folder, 'vault.db');
    const store = await openSqliteBlobStore({ file, role: 'vault' });
    await store.put('a', Buffer.alloc(9_000, 7));
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    await store.erase('a');
    expect(statSync(`${file}-wal`).size).toBe(0);
    await store.close();
  });

  it('is readable by its user only, folder included', async () => {
    const file = join(folder, 'data', 'vault.db');
    const store = await openSqliteBlobStore({ file, role: 'vault' });
    await store.put('a', Buffer.from('one'));
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
    for (const end of ENDS) expect(statSync(file + end).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('refuses a file of another role: an erasure store never serves as a vault', async () => {
    const file = join(folder, 'erasure.db');
    await (await openSqliteBlobStore({ file, role: 'erasure' })).close();
    await expect(openSqliteBlobStore({ file, role: 'vault' })).rejects.toMatchObject({
      code: 'integrity',
    });
  });
});
