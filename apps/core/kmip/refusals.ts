import type { LeaseRefusal } from '@kcm/custody';
import { KcmError, type Code } from '@kcm/kernel';
import { KmipFailure, ResultReason } from '@kcm/kmip';

/**
 * The one place where a code becomes a result reason. The message begins with the code. What an
 * Edge may not see and what does not exist are told in the same words.
 */
export function failureOf({ effect, code }: Pick<LeaseRefusal, 'effect' | 'code'>): KmipFailure {
  // Not in a state for this, and no reason to drop what is held to decrypt with.
  if (code === 'key_not_active') return new KmipFailure(ResultReason.IllegalOperation, code);
  if (effect === 'indeterminate')
    return new KmipFailure(ResultReason.GeneralFailure, `${code}: indeterminate`);
  return hidden(code)
    ? notFound()
    : new KmipFailure(DENIED[code] ?? ResultReason.PermissionDenied, code);
}

/** A foreign object, an unknown one and a service that is not this Edge's. */
export const hidden = (code: Code): boolean => code === 'not_found' || code === 'forbidden';

export const notFound = (): KmipFailure => new KmipFailure(ResultReason.ItemNotFound, 'not_found');

export const denied = (code: Code): KmipFailure =>
  new KmipFailure(ResultReason.PermissionDenied, code);

export const invalid = (detail: string): KmipFailure =>
  new KmipFailure(ResultReason.InvalidField, `invalid_request: ${detail}`);

/** What a port threw: never a reason to drop a key. Other errors go on as they are. */
export function thrown(error: unknown): unknown {
  if (!(error instanceof KcmError)) return error;
  // Refused for what it is: to send it again would change nothing.
  if (error.code === 'invalid_request') return invalid(error.message);
  return failureOf({ effect: 'indeterminate', code: error.code });
}

const DENIED: { readonly [C in Code]?: ResultReason } = {
  export_not_allowed: ResultReason.NotExtractable,
  key_archived: ResultReason.ObjectArchived,
};
