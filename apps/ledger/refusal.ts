export type RefusalName =
  | 'not_an_export'
  | 'export_cut'
  | 'export_reordered'
  | 'export_damaged'
  | 'file_exists'
  | 'no_ledger'
  | 'ledger_not_empty';

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
