import { KcmError, printableLine } from '@kcm/kernel';
import { MongoBulkWriteError, MongoError, MongoServerError } from 'mongodb';

/** What a server answers of an upsert or an insert that lost against another one of its key. */
const DUPLICATE_KEY = 11_000;
const REFUSED: Record<number, string> = {
  18: 'refused the credentials',
  13: 'does not let this user do it',
  8000: 'refused the credentials',
};
const DETAIL_CHARS_MAX = 200;
const CERTIFICATE = /certificate|altnames/i;
const UNTRUSTED = 'name its authority by tlsCAFile';

/** MongoDB cannot be reached, or did not say that it stored what it was given. */
export class MongoUnavailable extends KcmError {
  constructor(host: string, detail: string) {
    super('ledger_unavailable', `MongoDB at ${host} ${detail}.`);
  }
}

/** MongoDB says no at its opening, and will until somebody mends what is told: no time helps. */
export class MongoRefused extends KcmError {
  constructor(host: string, detail: string) {
    super('forbidden', `MongoDB at ${host} ${detail}.`);
  }
}

/** True where nothing failed but upserts or inserts of keys that are there already. */
export function isDuplicateKey(error: unknown): boolean {
  if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) return false;
  if (!(error instanceof MongoBulkWriteError)) return true;
  const errors = [error.writeErrors].flat();
  const unsure = error.result.getWriteConcernError() !== undefined;
  return !unsure && errors.every(({ code }) => code === DUPLICATE_KEY);
}

/** The driver opens the files of an address when it first connects. */
const isFileMissing = (error: unknown): boolean =>
  (error as { syscall?: unknown } | null)?.syscall === 'open';

/** What no time helps against: an old server, our credentials and rights, its certificate. */
function refusalIn(error: MongoError, detail: string): string | null {
  if (error.name === 'MongoCompatibilityError' || detail.includes('maximum wire version'))
    return 'is too old: MongoDB 5.0 or newer is needed';
  const refused = REFUSED[Number(error.code)];
  if (refused !== undefined) return refused;
  return CERTIFICATE.test(detail) ? `shows a certificate that is not trusted: ${UNTRUSTED}` : null;
}

/**
 * The driver's error as ours: a code, the hosts, and no document and no credential. In use a refusal
 * is tried again as everything is: a password may be being changed.
 */
export function asKcmError(error: unknown, host: string, when: 'opening' | 'use'): unknown {
  if (isFileMissing(error))
    return new KcmError(
      'invalid_request',
      'A certificate file of the MongoDB address is not there.',
    );
  if (!(error instanceof MongoError)) return error;
  const detail = printableLine(error.message).slice(0, DETAIL_CHARS_MAX).replace(/\.$/, '');
  const refusal = refusalIn(error, detail);
  if (refusal !== null)
    return new (when === 'opening' ? MongoRefused : MongoUnavailable)(host, refusal);
  if (error.name === 'MongoServerSelectionError')
    return new MongoUnavailable(host, `cannot be reached: ${detail}`);
  return new MongoUnavailable(host, `failed: ${detail}`);
}
