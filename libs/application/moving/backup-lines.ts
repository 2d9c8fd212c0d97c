import { type Json, Sha256 } from '@kcm/kernel';
import { jsonLine } from './ledger-lines.js';

/**
 * A backup as text, UTF-8, each line ended by a line feed: what it is and whose; the ledger, as an
 * export of it; each value of the vault, then of the directory; and a signed note: the checkpoint of
 * the ledger's log, with the digest of each part in its extension lines.
 */
export const BACKUP_FORMAT = 'kcm-backup/1';
export const BACKUP_PARTS = ['ledger', 'vault', 'directory'] as const;
export type BackupPart = (typeof BACKUP_PARTS)[number];

export interface BackupHeader {
  readonly format: typeof BACKUP_FORMAT;
  readonly region: string;
  readonly ledger: string;
  /** RFC 3339. */
  readonly takenAt: string;
}
export interface BackedUpValue {
  readonly store: 'vault' | 'directory';
  readonly key: string;
  /** Base64. */
  readonly bytes: string;
}
export interface BackupEnd {
  readonly manifest: string;
}

export const backupHeaderLine = (header: Omit<BackupHeader, 'format'>): string =>
  jsonLine({ format: BACKUP_FORMAT, ...header } satisfies BackupHeader);
export const valueLine = (store: BackedUpValue['store'], key: string, bytes: Buffer): string =>
  jsonLine({ store, key, bytes: bytes.toString('base64') } satisfies BackedUpValue);
export const backupEndLine = (manifest: string): string =>
  jsonLine({ manifest } satisfies BackupEnd);

/** Which part a line belongs to: of the ledger's are those of its export. */
export function partOf(said: { readonly [name: string]: Json | undefined }): BackupPart {
  const { store } = said;
  return store === 'vault' || store === 'directory' ? store : 'ledger';
}

/** Digests of the parts of a backup, over their lines with the line feeds. */
export class BackupDigests {
  readonly #parts = new Map<BackupPart, { readonly digest: Sha256; lines: number }>(
    BACKUP_PARTS.map((part) => [part, { digest: new Sha256(), lines: 0 }]),
  );

  /** @returns the line */
  told(part: BackupPart, line: string): string {
    const of = this.#parts.get(part)!;
    of.digest.update(line);
    of.lines += 1;
    return line;
  }

  /** Once, at the end: the extension lines of the manifest. */
  lines(takenAt: string): readonly string[] {
    const parts = [...this.#parts].map(
      ([part, { digest, lines }]) => `${part} ${lines} sha256:${digest.hex()}`,
    );
    return [`${BACKUP_FORMAT} ${takenAt}`, ...parts];
  }
}
