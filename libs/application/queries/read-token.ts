import { KcmError, type LedgerId, type Position } from '@kcm/kernel';
import type { ReadToken } from '@kcm/read-models';

/** `Kcm-Token`: opaque to callers; base64url of JSON [ledger id, position]. */
export const encodeToken = (token: ReadToken): string =>
  Buffer.from(JSON.stringify([token.ledger, token.position])).toString('base64url');

/** @throws KcmError invalid_request */
export function decodeToken(text: string): ReadToken {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (Array.isArray(parsed) && parsed.length === 2) {
      const [ledger, position] = parsed as unknown[];
      if (typeof ledger === 'string' && typeof position === 'string') {
        return { ledger: ledger as LedgerId, position: position as Position };
      }
    }
  } catch {
    // Falls through: whatever is wrong with the text, the answer is the same.
  }
  throw new KcmError('invalid_request', 'The Kcm-Token is not one of ours.', {
    errors: [{ path: 'Kcm-Token', code: 'malformed', detail: 'send back what a command answered' }],
  });
}
