import { KcmError, type StreamId } from '@kcm/kernel';
import { LedgerUnavailable, StreamGone } from '../errors.js';

/** A read that went on without a word for too long. */
export class Silence extends Error {
  constructor() {
    super('EventStoreDB did not answer in time.');
  }
}

/** The client's own name of a failure, or Node's code of one: classes differ between realms. */
export function failureOf(error: unknown): string {
  const { type, code } = (error ?? {}) as { type?: unknown; code?: unknown };
  if (typeof type === 'string') return type;
  return typeof code === 'string' ? code : '';
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
export const passes = (error: unknown): boolean =>
  error instanceof Silence || PASSING.has(failureOf(error));

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
    case 'access-denied':
      return new LedgerUnavailable('EventStoreDB refuses our credentials.', error);
    default:
      return passes(error) ? new LedgerUnavailable(undefined, error) : error;
  }
}
