import { KcmError, type LedgerId } from '@kcm/kernel';
import type { Checkpoint } from './read-models.js';

export class ReadModelBehind extends KcmError {
  constructor(
    name: string,
    readonly asOf: Checkpoint | null,
  ) {
    super('read_model_behind', `The read model ${name} has not got there yet; ask again.`, {
      retryAfterSeconds: 1,
    });
  }
}
export class TokenOfAnotherLedger extends KcmError {
  constructor() {
    super('invalid_request', 'The Kcm-Token names another ledger than this one.', {
      errors: [{ path: 'Kcm-Token', code: 'other_ledger', detail: 'issued by another ledger' }],
    });
  }
}
/** The stored read model was folded from another ledger; it is rebuilt or the file is removed. */
export class CheckpointOfAnotherLedger extends KcmError {
  constructor(name: string, stored: LedgerId, asked: LedgerId) {
    super(
      'integrity',
      `The read model ${name} was folded from the ledger ${stored}, this one is ${asked}.`,
    );
  }
}
