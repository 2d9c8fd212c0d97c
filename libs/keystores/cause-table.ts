import type { Cause, Code, Step } from '@kcm/kernel';
import type { Answer } from './keystore.js';

/** What one answer of a provider means. `detail` is our sentence, never the provider's text. */
export interface Meaning {
  readonly cause: Cause;
  readonly code: Code;
  readonly step: Step;
  readonly detail: string;
}
/** One table a keystore, keyed by what the provider stably answers (status and code, not text). */
export type CauseTable = { readonly [providerAnswer: string]: Meaning };

/** What is not listed proves nothing: it never closes access and never extends it. */
export const UNLISTED: Meaning = {
  cause: 'indeterminate',
  code: 'root_key_unreachable',
  step: 'network',
  detail: 'The keystore answered something that this driver does not know.',
};

/** Why no usable answer came back; the same for every keystore that is reached over a network. */
export const NO_ANSWER = {
  address_refused: {
    cause: 'indeterminate',
    code: 'keystore_address_refused',
    step: 'network',
    detail: 'The keystore’s name now points to an address that the operator does not allow.',
  },
  unresolved: unreachable('The keystore’s host name does not resolve.'),
  unreachable: unreachable('The keystore did not accept or keep the connection.'),
  timeout: unreachable('The keystore did not answer in time.'),
  too_large: unreachable('The keystore’s answer was larger than any it should give.'),
  malformed: unreachable('The keystore’s answer could not be read.'),
} as const satisfies CauseTable;
export type NoAnswerReason = keyof typeof NO_ANSWER;

function unreachable(detail: string): Meaning {
  return { cause: 'indeterminate', code: 'root_key_unreachable', step: 'network', detail };
}

/** Looks an answer up in a keystore's table; own keys only, unlisted → indeterminate. */
export const meaningOf = (table: CauseTable, providerAnswer: string): Meaning =>
  Object.hasOwn(table, providerAnswer) ? table[providerAnswer]! : UNLISTED;

export const refused = <T>(
  meaning: Meaning,
  providerRequestId: string | null = null,
): Answer<T> => ({
  ok: false,
  cause: meaning.cause,
  code: meaning.code,
  step: meaning.step,
  detail: meaning.detail,
  providerRequestId,
});
