import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Clock, LIMITS } from '@kcm/kernel';
import { assertPrivateFolder, copyErasure, copyHolds, syncFolder } from '@kcm/platform';
import type { Copies } from '@kcm/vault';

export interface ErasureBackupsDeps {
  readonly erasure: Copies;
  /** Made when it is needed; this user's alone. */
  readonly folder: string;
  /** How long each is kept; 0: none is. */
  readonly days: number;
  readonly clock: Pick<Clock, 'wallMs'>;
}
const DAY_MS = 24 * 60 * 60_000;
/** `.part` while it is made: a start after a cut finds it, and it holds keys like a whole one. */
const NAME = /^erasure-(\d{8}T\d{6}Z)\.db(\.part)?(-wal|-shm|-journal)?$/;
const ZEROS = Buffer.alloc(64 * 1024);

/**
 * The erasure store's own backups: a copy a day, each overwritten and removed after so many days,
 * so that a lost store is found again and a shred becomes final all the same.
 */
export class ErasureBackups {
  /** Why the last attempt did not get done; null: it did. */
  trouble: string | null = null;

  constructor(private readonly deps: ErasureBackupsDeps) {}

  /** Takes what is due, removes what is over. Never throws: see `trouble`. */
  async keep(): Promise<void> {
    try {
      this.#removeOver();
      await this.#takeDue();
      this.trouble = null;
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error);
    }
  }

  /** When the last backup that holds something of this path is gone; null: none does. */
  async heldUntil(path: string): Promise<number | null> {
    let until: number | null = null;
    for (const { file, takenAt } of this.#found())
      if (await this.#mayHold(file, path)) until = Math.max(until ?? 0, this.#overAt(takenAt));
    return until;
  }

  /** What cannot be read may hold it. */
  async #mayHold(file: string, path: string): Promise<boolean> {
    if (!file.endsWith('.db')) return true;
    return copyHolds(join(this.deps.folder, file), path).catch(() => true);
  }

  #overAt(takenAt: number): number {
    return takenAt + this.deps.days * DAY_MS + LIMITS.erasureLookMs;
  }

  #found(): readonly { readonly file: string; readonly takenAt: number }[] {
    const { folder } = this.deps;
    if (!existsSync(folder)) return [];
    return readdirSync(folder).flatMap((file) => {
      const stamp = NAME.exec(file)?.[1];
      return stamp === undefined ? [] : [{ file, takenAt: msOf(stamp) }];
    });
  }

  #removeOver(): void {
    const { folder, days, clock } = this.deps;
    const found = this.#found().filter(
      ({ file, takenAt }) =>
        !file.endsWith('.db') || clock.wallMs() >= takenAt + days * DAY_MS || days === 0,
    );
    for (const { file } of found) overwrite(join(folder, file));
    if (found.length > 0) syncFolder(folder);
  }

  async #takeDue(): Promise<void> {
    const { erasure, folder, days, clock } = this.deps;
    const now = clock.wallMs();
    const last = Math.max(...this.#found().map(({ takenAt }) => takenAt), Number.NEGATIVE_INFINITY);
    if (days === 0 || (now - last < DAY_MS && last <= now)) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    assertPrivateFolder(folder, 'KCM_ERASURE_BACKUPS');
    const file = join(folder, `erasure-${stampOf(now)}.db`);
    await copyErasure(erasure, `${file}.part`);
    renameSync(`${file}.part`, file);
    syncFolder(folder);
  }
}

/** 20261130T173800Z */
const stampOf = (ms: number): string =>
  `${new Date(ms).toISOString().replaceAll(/[-:]|\..*/g, '')}Z`;
const msOf = (stamp: string): number =>
  Date.parse(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/** Its bytes first: an unlinked file's stay on the disk. */
function overwrite(path: string): void {
  const file = openSync(path, 'r+');
  try {
    const { size } = fstatSync(file);
    for (let at = 0; at < size; at += ZEROS.length)
      writeSync(file, ZEROS, 0, Math.min(ZEROS.length, size - at), at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  rmSync(path);
}
