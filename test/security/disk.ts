import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Place } from './needles.js';

/** Every regular file below a folder but those named. */
export function filesOf(folder: string, except: readonly string[] = []): readonly Place[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !except.includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ name: relative(folder, path), bytes: readFileSync(path) }));
}

/** Every value of every table, whole: in the file a long one may lie in pieces. Only when closed. */
export function rowsOf(file: string): readonly Place[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    return tables.flatMap(({ name }) =>
      db
        .prepare(`SELECT * FROM "${String(name)}"`)
        .all()
        .flatMap((row) =>
          Object.entries(row)
            .filter(([, value]) => typeof value === 'string' || value instanceof Uint8Array)
            .map(([column, value]) => ({
              name: `${file.split('/').at(-1)}:${String(name)}.${column}`,
              bytes: Buffer.from(value as string | Uint8Array),
            })),
        ),
    );
  } finally {
    db.close();
  }
}

export const databasesOf = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.db') && statSync(join(folder, name)).size > 0)
    .map((name) => join(folder, name));

/** A blob store's content by path. Only when closed. */
export function blobsOf(file: string): ReadonlyMap<string, Buffer> {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare('SELECT key, bytes FROM blobs').all();
  db.close();
  return new Map(rows.map((row) => [String(row['key']), Buffer.from(row['bytes'] as Uint8Array)]));
}

export interface StoredEvent {
  readonly stream: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** The ledger in its order. Only when closed. */
export function eventsOf(file: string): readonly StoredEvent[] {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare('SELECT stream, type, data, meta FROM events ORDER BY position').all();
  db.close();
  const parsed = (text: unknown) => JSON.parse(String(text)) as StoredEvent['data'];
  return rows.map((row) => ({
    stream: String(row['stream']),
    type: String(row['type']),
    data: parsed(row['data']),
    meta: parsed(row['meta']),
  }));
}
