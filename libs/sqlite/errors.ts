import { KcmError } from '@kcm/kernel';
import { basename } from 'node:path';

/** Another process (or another part of this one) holds the data folder. */
export class FolderLocked extends KcmError {
  constructor(
    readonly folder: string,
    /** null: the holder has not written its name yet. */
    readonly pid: number | null,
  ) {
    super(
      'ledger_unavailable',
      `The data folder ${folder} is in use by ${pid === null ? 'another process' : `process ${pid}`}.`,
    );
  }
}
/** A constraint or a `changes` expectation refused the job; nothing of it was stored. */
export class WriteRefused extends KcmError {
  constructor(
    /** Index of the statement that was refused. */
    readonly statement: number,
    /** Extended SQLite result code, or null when `changes` was not met. */
    readonly sqliteCode: number | null,
    detail: string,
  ) {
    super('revision_conflict', detail);
  }
}
/** A statement that SQLite cannot run: a mistake of the caller. Nothing of the job was stored. */
export class WriteInvalid extends KcmError {
  constructor(
    readonly statement: number,
    detail: string,
  ) {
    super('internal', `Statement ${statement} cannot be run: ${detail}`);
  }
}
/** The disk failed while the transaction was committed: it may or may not be stored. */
export class WriteOutcomeUnknown extends KcmError {
  constructor(file: string, detail: string) {
    super(
      'ledger_unavailable',
      `${basename(file)}: not known whether the write was stored (${detail}).`,
    );
  }
}
/** Nothing of the job was stored. */
export class StoreUnavailable extends KcmError {
  constructor(file: string, detail: string) {
    super('ledger_unavailable', `${basename(file)} cannot be written: ${detail}.`);
  }
}
/**
 * The file (or its log) was moved or deleted while it is open: nothing of the job was stored, and
 * nothing is until the same file is back.
 */
export class StoreMoved extends StoreUnavailable {}
/** No room left; nothing of the job was stored. */
export class StoreFull extends KcmError {
  constructor(file: string) {
    super('ledger_unavailable', `${basename(file)} has no room left to write.`);
  }
}
/** The file is damaged, or is not the file that was expected here. */
export class StoreDamaged extends KcmError {
  constructor(file: string, detail: string) {
    super('integrity', `${file}: ${detail}`);
  }
}
/** A sync of the file failed, or its writer has ended: nothing is written before a new start. */
export class StoreLost extends KcmError {
  constructor(file: string, detail: string) {
    super(
      'ledger_unavailable',
      `${basename(file)} takes nothing more before a new start: ${detail}.`,
    );
  }
}
