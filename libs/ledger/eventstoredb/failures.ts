import { KcmError, type StreamId } from '@kcm/kernel';
import { LedgerRefused, LedgerUnavailable, StreamGone } from '../errors.js';

/** A read that went on without a word for too long. */
export class Silence extends Error {
  constructor() {
    super('EventStoreDB did not answer in time.');
  }
}

/** gRPC's numbers, where the client has no better name for them. */
const OF_GRPC: Readonly<Record<number, string>> = {
  1: 'cancelled',
  4: 'deadline-exceeded',
  7: 'access-denied',
  12: 'unimplemented',
  14: 'unavailable',
  16: 'access-denied',
};

/** The client's own name of a failure, or Node's code of one: classes differ between realms. */
export function failureOf(error: unknown): string {
  const { type, code } = (error ?? {}) as { type?: unknown; code?: unknown };
  if (typeof type === 'string' && type !== 'unknown') return type;
  const named = typeof code === 'number' ? OF_GRPC[code] : code;
  if (typeof named === 'string') return named;
  return typeof type === 'string' ? type : '';
}

/** Perhaps another time; what was asked for may have been done all the same. */
const PASSING: ReadonlySet<string> = new Set([
  'unavailable',
  'cancelled',
  'deadline-exceeded',
  'timeout',
  'not-leader',
  'unknown',
  'ERR_STREAM_PREMATURE_CLOSE',
]);
/** The channel was closed under a call, or no member of a cluster was found. */
const NAMELESS = /^(Channel has been shut down|Failed to discover )/;
export const passes = (error: unknown): boolean =>
  error instanceof Silence || PASSING.has(failureOf(error)) || NAMELESS.test(saidOf(error));

const saidOf = (error: unknown): string => {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : '';
};
const CERTIFICATE = /certificate|altnames/i;

/** What no time helps against: our credentials and rights, an old server, its certificate. */
function refusalIn(error: unknown): string | null {
  const failure = failureOf(error);
  if (failure === 'access-denied') return 'EventStoreDB refuses our credentials.';
  if (failure === 'unimplemented') return 'EventStoreDB lacks a call: 22.10 or newer is needed.';
  return passes(error) && CERTIFICATE.test(saidOf(error))
    ? 'EventStoreDB shows a certificate that is not trusted: name its authority by tlsCAFile.'
    : null;
}

/** As `translated`, and a refusal by its own code: who opens a ledger waits for what passes. */
export function translatedAtOpening(error: unknown): unknown {
  const refusal = error instanceof KcmError ? null : refusalIn(error);
  return refusal === null ? translated(error) : new LedgerRefused(refusal, error);
}

/** As the port says it; what is no failure of the server stays what it is. */
export function translated(error: unknown, stream: StreamId | null = null): unknown {
  if (error instanceof KcmError) return error;
  switch (failureOf(error)) {
    case 'stream-deleted':
      return stream === null ? new LedgerUnavailable(undefined, error) : new StreamGone(stream);
    case 'maximum-append-size-exceeded':
      return new KcmError(
        'payload_too_large',
        'EventStoreDB takes no append of this size (its setting MaxAppendSize).',
        { cause: error },
      );
  }
  const refusal = refusalIn(error);
  if (refusal !== null) return new LedgerUnavailable(refusal, error);
  return passes(error) ? new LedgerUnavailable(undefined, error) : error;
}
