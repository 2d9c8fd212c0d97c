import type { Random } from '@kcm/kernel';
import type { FilteredFeed, Ledger } from '../ledger.js';

export interface SqliteLedgerOptions {
  /** Path of the ledger's file; its folder is locked for this process while the ledger is open. */
  readonly file: string;
  readonly random: Random;
}
/** @throws FolderLocked · KcmError integrity · LedgerUnavailable */
export declare function openSqliteLedger(
  options: SqliteLedgerOptions,
): Promise<Ledger & FilteredFeed>;
