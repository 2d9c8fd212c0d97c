import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { LedgerId, Position } from '@kcm/kernel';
import type { DocKey } from '@kcm/read-models';
import { openSqliteReadModels } from '@kcm/read-models/sqlite';
import { readModelContract } from '@kcm/testing';

readModelContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-read-models-'));
  return {
    open: () => openSqliteReadModels({ file: join(folder, 'read-models.db') }),
    dispose: async () => rmSync(folder, { recursive: true }),
  };
});

describe('the SQLite read models', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-read-models-'));
    file = join(folder, 'read-models.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const checkpoint = { ledger: 'ledger' as LedgerId, position: '1' as Position };
  const tables = (): readonly string[] => {
    const db = new DatabaseSync(file);
    const rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    db.close();
    return rows.map(({ name }) => String(name)).sort();
  };

  it('drops the tables of what it forgets, and what a killed process left of them', async () => {
    const store = await openSqliteReadModels({ file });
    for (const version of [1, 2]) await store.commit('a', version, [], checkpoint, []);
    await store.activate('a', 2);
    await store.commit('a.rebuild', 2, [], checkpoint, []);
    await store.replace('a', 2, 'a.rebuild');
    await store.close();
    expect(tables()).toEqual(['a.rebuild__v2_3', 'collections', 'pointers']);
    const db = new DatabaseSync(file);
    db.exec('CREATE TABLE "b__v1_9"(key TEXT)');
    db.close();
    await (await openSqliteReadModels({ file })).close();
    expect(tables()).toEqual(['a.rebuild__v2_3', 'collections', 'pointers']);
  });

  it('is readable by its user only', async () => {
    const store = await openSqliteReadModels({ file });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await store.close();
    await expect(store.get('a', 'k' as DocKey)).rejects.toMatchObject({
      code: 'ledger_unavailable',
    });
  });
});
