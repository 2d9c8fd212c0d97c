import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { RecordedEvent } from '@kcm/kernel';

export interface LedgerFiles {
  readonly db: Buffer;
  readonly log: Buffer | null;
}
export type Reading =
  | { readonly events: readonly RecordedEvent[] }
  | { readonly events?: never; readonly code: string; readonly message: string };

/** Reads ledgers that were cut or changed, thousands of them, in a process of its own. */
export class LedgerReading {
  readonly #folder = mkdtempSync(
    join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kcm-reading-'),
  );
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #tries = 0;

  constructor() {
    this.#child = spawn(process.execPath, [resolve('test/crash/ledger-reader.mjs')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** @param overwrite put into the database once it is open */
  async read(
    files: LedgerFiles,
    overwrite?: { readonly at: number; readonly byte: number },
  ): Promise<Reading> {
    this.#tries += 1;
    const dir = join(this.#folder, String(this.#tries));
    const file = join(dir, 'ledger.db');
    mkdirSync(dir);
    writeFileSync(file, files.db);
    if (files.log !== null) writeFileSync(`${file}-wal`, files.log);
    this.#child.stdin!.write(`${JSON.stringify({ file, overwrite })}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the reader ended over try ${this.#tries}`);
    rmSync(dir, { recursive: true });
    return JSON.parse(value) as Reading;
  }

  close(): void {
    this.#child.stdin!.end();
    rmSync(this.#folder, { recursive: true });
  }
}
