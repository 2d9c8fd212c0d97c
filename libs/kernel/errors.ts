import type { Code, FieldError, Step } from './codes.js';

export interface KcmErrorDetails {
  readonly errors?: readonly FieldError[];
  readonly step?: Step;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** A refusal with a stable code. The message is for people and never holds a secret. */
export class KcmError extends Error {
  readonly errors: readonly FieldError[];
  readonly step: Step | null;
  readonly retryAfterSeconds: number | null;

  constructor(
    readonly code: Code,
    detail: string,
    details: KcmErrorDetails = {},
  ) {
    super(detail, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'KcmError';
    this.errors = details.errors ?? [];
    this.step = details.step ?? null;
    this.retryAfterSeconds = details.retryAfterSeconds ?? null;
  }
}

/** One thing only, whatever failed: no caller learns which check refused a ciphertext. */
export class DecryptionFailed extends KcmError {
  constructor() {
    super('decryption_failed', 'The ciphertext cannot be decrypted.');
    this.name = 'DecryptionFailed';
  }
}

/** A stored event that this release cannot read: stops the reader rather than skip it. */
export class UnknownEventType extends KcmError {
  constructor(type: string, schemaVersion: number) {
    super('integrity', `This release does not know the event ${type} v${schemaVersion}.`);
    this.name = 'UnknownEventType';
  }
}
