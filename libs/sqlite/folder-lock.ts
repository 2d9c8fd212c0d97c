import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FolderLocked } from './errors.js';

/** Held by one process; ends with `release` or with the process, however it ends. */
export interface FolderLock {
  readonly folder: string;
  release(): void;
}
interface Held {
  readonly db: DatabaseSync;
  holders: number;
}
const held = new Map<string, Held>();
const BUSY = 5;

/**
 * Locks a data folder for this process; creates the folder (mode 0700). May be taken again in the
 * same process; the last `release` frees it.
 *
 * The lock is the kernel's (SQLite's exclusive lock on `lock.db`), so that it cannot go stale: a
 * killed holder frees it. `lock.pid` beside it only names the holder.
 * @throws FolderLocked naming the process that holds it
 */
export function lockFolder(path: string): FolderLock {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const folder = realpathSync(path);
  const mine = held.get(folder) ?? take(folder);
  mine.holders += 1;
  held.set(folder, mine);
  let released = false;
  return {
    folder,
    release() {
      if (released) return;
      released = true;
      mine.holders -= 1;
      if (mine.holders > 0) return;
      held.delete(folder);
      mine.db.close();
    },
  };
}

function take(folder: string): Held {
  const pidFile = join(folder, 'lock.pid');
  const file = join(folder, 'lock.db');
  // Created before SQLite locks it: closing any descriptor of a file drops the locks on it.
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== BUSY) throw error;
    throw new FolderLocked(folder, holderOf(pidFile));
  }
  writeFileSync(`${pidFile}.new`, `${process.pid}\n`, { mode: 0o600 });
  renameSync(`${pidFile}.new`, pidFile);
  return { db, holders: 0 };
}

function holderOf(pidFile: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return Number.isSafeInteger(pid) ? pid : null;
  } catch {
    return null;
  }
}
