import { KcmError, type Revision, type StreamId } from '@kcm/kernel';
import type { Expected } from './ledger.js';

export class LedgerConflict extends KcmError {
  constructor(
    readonly stream: StreamId,
    readonly expected: Expected,
    /** null: no such stream. */
    readonly actual: Revision | null,
  ) {
    super('revision_conflict', `The stream ${stream} has moved on (now ${actual ?? 'absent'}).`);
  }
}
/**
 * Whether the append was stored is not known; repeat it with the same expected revision and ids.
 */
export class LedgerOutcomeUnknown extends KcmError {
  constructor(cause?: unknown) {
    super('ledger_unavailable', 'The ledger did not say whether the event was stored.', { cause });
  }
}
export class LedgerUnavailable extends KcmError {
  constructor(detail = 'The ledger cannot be reached.', cause?: unknown) {
    super('ledger_unavailable', detail, { cause });
  }
}
/** Its server says no at the opening, and will until somebody mends what is told: no time helps. */
export class LedgerRefused extends KcmError {
  constructor(detail: string, cause?: unknown) {
    super('forbidden', detail, { cause });
  }
}
/** Its file was moved or deleted while it is open; it takes events again once it is back. */
export class LedgerMoved extends LedgerUnavailable {
  constructor(cause?: unknown) {
    super('The file of the ledger is not where it was opened.', cause);
  }
}
export class LedgerFull extends KcmError {
  constructor(cause?: unknown) {
    super('ledger_unavailable', 'The ledger has no room left to write.', { cause });
  }
}
export class StreamGone extends KcmError {
  constructor(stream: StreamId) {
    super('integrity', `The stream ${stream} was deleted behind our back.`);
  }
}
export { UnknownEventType } from '@kcm/kernel';
