import type { KcmError } from '@kcm/kernel';
import type { DataKey, Done } from '../work.js';
import type { Answer } from './problem.js';

/** The grant that an answer rests on goes out as `Kcm-Grant`. */
const GRANT = 'Kcm-Grant';
const CORRELATION = 'X-Correlation-Id';

export const encrypted = ({ bytes, keyVersion, grantId }: Done): object => ({
  ciphertext: bytes.toString('base64'),
  keyVersion,
  grantId,
});

export function decrypted(done: Done): object {
  const plaintext = done.bytes.toString('base64');
  done.bytes.fill(0);
  return { plaintext, ...standing(done) };
}

export const dataKeyMade = (made: DataKey): object => {
  const { id, expiresAt, keyVersion, grantId, wrapped } = made;
  const { plaintext } = decrypted(made) as { plaintext: string };
  return { id, plaintext, wrapped: wrapped.toString('base64'), keyVersion, grantId, expiresAt };
};

export const dataKeyUnwrapped = (read: DataKey): object => ({
  id: read.id,
  expiresAt: read.expiresAt,
  ...decrypted(read),
});

export const dataKeyRewrapped = ({ bytes, keyVersion, grantId }: Done): object => ({
  wrapped: bytes.toString('base64'),
  keyVersion,
  grantId,
});

/** Nothing of what the newest version protects. */
const standing = ({ keyVersion, stale, rewrapped }: Done): object => ({
  ...(stale ? { keyVersion, stale } : {}),
  ...(rewrapped === null ? {} : { rewrapped: rewrapped.toString('base64') }),
});

export const itemError = ({ code, message, errors }: KcmError): object => ({
  code,
  detail: message,
  ...(errors.length === 0 ? {} : { errors }),
});

export const ok = (body: object, status = 200): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(body),
  headers: [],
});

export const text = (type: string, body: string): Answer => ({
  status: 200,
  type,
  body,
  headers: [],
});

export const granted = (body: string, grantId: string | null): Answer => ({
  status: 200,
  type: 'application/json',
  body,
  headers: grantId === null ? [] : [[GRANT, grantId]],
});

export const correlated = (answer: Answer, id: string): Answer => ({
  ...answer,
  headers: [...answer.headers, [CORRELATION, id]],
});
