import {
  KcmError,
  type EventData,
  type EventId,
  type EventMeta,
  type RecordedEvent,
  type StreamId,
} from '@kcm/kernel';
import { crc32 } from 'node:zlib';
import type { EncodedEvent } from '../append-rules.js';
import { positionOf } from './position.js';

/** One row of `events`. */
export interface EventRow {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly data: string;
  readonly meta: string;
  readonly checksum: number;
}
export const COLUMNS = 'position, stream, revision, id, type, schema_version, data, meta, checksum';

/**
 * CRC-32 over all columns but the position, which the gapless order of the feed checks. It finds
 * damage (any single flip, any burst up to 32 bits), not forgery. No column can hold a line feed.
 */
export function checksumOf(stream: string, revision: number, event: EncodedEvent): number {
  const { id, type, schemaVersion, data, meta } = event;
  return crc32(`${stream}\n${revision}\n${id}\n${type}\n${schemaVersion}\n${meta}\n${data}`);
}

const damaged = (row: EventRow, what: string): KcmError =>
  new KcmError(
    'integrity',
    `The event ${row.revision} of ${row.stream} at ${row.position} is damaged: ${what}.`,
  );

/** @throws KcmError integrity naming stream and revision */
export function decodeRow(row: EventRow): RecordedEvent {
  const { stream, revision, id, type, schema_version: schemaVersion, data, meta } = row;
  if (!Number.isSafeInteger(revision) || revision < 0) throw damaged(row, 'no revision');
  const checksum = checksumOf(stream, revision, { id, type, schemaVersion, data, meta });
  if (checksum !== row.checksum) throw damaged(row, 'its checksum does not match');
  try {
    return {
      stream: stream as StreamId,
      revision,
      position: positionOf(row.position),
      id: id as EventId,
      type,
      schemaVersion,
      data: JSON.parse(data) as EventData,
      meta: JSON.parse(meta) as EventMeta,
    };
  } catch {
    throw damaged(row, 'it is not JSON');
  }
}
