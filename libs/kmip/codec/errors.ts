import { nameOf, ResultReason } from './enums.js';

/**
 * A refusal in KMIP's words: what a batch item answers with status Operation Failed (§6.10).
 * The message is for people, goes over the wire and never holds a secret.
 */
export class KmipFailure extends Error {
  constructor(
    readonly reason: ResultReason,
    message: string,
  ) {
    super(message);
    this.name = 'KmipFailure';
  }

  get reasonName(): string {
    return nameOf(ResultReason, this.reason);
  }
}

/** Every way in which bytes are not TTLV as this library accepts it. */
export type TtlvFault =
  | 'truncated'
  | 'trailing_bytes'
  | 'unknown_type'
  | 'wrong_length'
  | 'wrong_padding'
  | 'wrong_value'
  | 'not_utf8'
  | 'too_deep'
  | 'too_many_items'
  | 'too_large'
  | 'wrong_tag';

/**
 * Malformed bytes (reason Invalid Message). `offset` counts bytes from the start of the message.
 */
export class TtlvError extends KmipFailure {
  constructor(
    readonly fault: TtlvFault,
    readonly offset: number,
    detail: string,
  ) {
    super(ResultReason.InvalidMessage, `${detail} at byte ${offset}`);
    this.name = 'TtlvError';
  }
}
