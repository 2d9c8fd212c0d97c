import type { KcmError } from '@kcm/kernel';
import type { Done } from '../data-plane.js';
import type { Answer } from './problem.js';

/** The grant that an answer rests on goes out as `Kcm-Grant`. */
const GRANT = 'Kcm-Grant';
const CORRELATION = 'X-Correlation-Id';

export const encrypted = ({ bytes, keyVersion, grantId }: Done): object => ({
  ciphertext: bytes.toString('base64'),
  keyVersion,
  grantId,
});

export function decrypted({ bytes }: Done): object {
  const plaintext = bytes.toString('base64');
  bytes.fill(0);
  return { plaintext };
}

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
