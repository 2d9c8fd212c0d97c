import { basename } from 'node:path';
import { KcmError, type Reason } from '@kcm/kernel';

/** Damaged blobs that were met since the start: each is told once. */
export class Damages {
  readonly #known = new Map<string, string>();

  constructor(private readonly tell: (error: KcmError) => void) {}

  readonly met = (error: KcmError): void => {
    if (this.#known.has(error.message)) return;
    this.#known.set(error.message, basename(error.message.split(': the blob ', 1)[0]!));
    this.tell(error);
  };

  /** By file: how many; no path, for a path names a tenant. */
  reasons(): Reason[] {
    const counts = new Map<string, number>();
    for (const file of this.#known.values()) counts.set(file, (counts.get(file) ?? 0) + 1);
    return [...counts].map(([file, count]) => ({
      dependency: file,
      level: 'degraded',
      code: 'blobs_damaged',
      detail: `${count} values of ${file} are not what was stored: whoever needs one is refused`,
      next: 'the log names each path; look at the disk, and put back a backup of the file',
    }));
  }
}
