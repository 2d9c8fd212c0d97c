import { KcmError } from '@kcm/kernel';
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
