import { KcmError, LIMITS, parseStream, type NewEvent, type StreamId } from '@kcm/kernel';
import type { Expected } from './ledger.js';

/** Text of one event as an adapter stores it. */
export interface EncodedEvent {
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly meta: string;
}

const TYPE = /^[A-Z][A-Za-z0-9]{0,79}$/;
const ID = /^[A-Za-z0-9-]{1,80}$/;
/** JSON.stringify writes a surrogate as an escape only where it stands alone. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;
const DEPTH_MAX = 64;

/**
 * What every adapter asserts before it writes (and encodes on the way).
 * @throws KcmError payload_too_large beyond a limit · internal on what no caller may hand over
 */
export function encodeAppend(
  stream: StreamId,
  expected: Expected,
  events: readonly NewEvent[],
): EncodedEvent[] {
  try {
    parseStream(stream);
  } catch (error) {
    throw new KcmError('internal', `Not a stream: ${String(stream)}`, { cause: error });
  }
  if (expected !== 'noStream') assertRevision(expected);
  if (events.length === 0) throw new KcmError('internal', 'An append holds at least one event.');
  if (events.length > LIMITS.eventsPerAppendMax)
    throw new KcmError(
      'payload_too_large',
      `An append holds at most ${LIMITS.eventsPerAppendMax} events, not ${events.length}.`,
    );
  const encoded = events.map(encodeEvent);
  if (new Set(encoded.map(({ id }) => id)).size !== encoded.length)
    throw new KcmError('internal', 'Two events of one append have the same id.');
  return encoded;
}

export function assertRevision(revision: number): void {
  if (!Number.isSafeInteger(revision) || revision < 0)
    throw new KcmError('internal', `Not a revision: ${revision}`);
}

function encodeEvent({ id, type, schemaVersion, data, meta }: NewEvent): EncodedEvent {
  if (!TYPE.test(type) || !ID.test(id) || !Number.isSafeInteger(schemaVersion) || schemaVersion < 1)
    throw new KcmError('internal', `Not an event: ${type} v${schemaVersion} ${id}`);
  if (!isIJson(data, 0) || !isIJson(meta, 0)) throw notIJson(type);
  const encoded = {
    id,
    type,
    schemaVersion,
    data: JSON.stringify(data),
    meta: JSON.stringify(meta),
  };
  for (const text of [encoded.data, encoded.meta])
    if (text.includes('\\ud') && LONE_SURROGATE.test(text)) throw notIJson(type);
  const bytes = Buffer.byteLength(encoded.data) + Buffer.byteLength(encoded.meta);
  if (bytes > LIMITS.eventBytesMax)
    throw new KcmError(
      'payload_too_large',
      `An event holds at most ${LIMITS.eventBytesMax} bytes; this ${type} has ${bytes}.`,
    );
  return encoded;
}

const notIJson = (type: string): KcmError =>
  new KcmError('internal', `The event ${type} holds what is not I-JSON (RFC 7493).`);

/** Plain objects, lists, strings, finite numbers, booleans and null only. */
function isIJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth >= DEPTH_MAX) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isIJson(item, depth + 1)) return false;
    return true;
  }
  // A plain object, whatever realm it is from: a Buffer, Date or Secret does not pass.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false;
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (member !== undefined && !isIJson(member, depth + 1)) return false;
  }
  return true;
}
