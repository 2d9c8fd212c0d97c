export type RefusalName =
  | 'not_an_export'
  | 'export_cut'
  | 'export_reordered'
  | 'export_damaged'
  | 'file_exists'
  | 'no_ledger'
  | 'ledger_not_empty'
  | 'not_a_backup'
  | 'not_a_checkpoint'
  | 'backup_cut'
  | 'backup_damaged'
  | 'backup_older'
  | 'backup_of_another'
  | 'folder_not_empty'
  | 'store_not_empty';

/** Why a ledger is not moved, by name, with what to do about it. */
export class MoveRefused extends Error {
  constructor(
    readonly code: RefusalName,
    message: string,
  ) {
    super(message);
    this.name = 'MoveRefused';
  }
}
