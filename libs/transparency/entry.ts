import { createHash } from 'node:crypto';
import { canonicalJson, type Json, type RecordedEvent } from '@kcm/kernel';
import { leafHash } from './hashes.js';

/** What of an event its leaf is made from; a position may be there and is not looked at. */
export type LoggedEvent = Omit<RecordedEvent, 'position'>;

/**
 * The entry of one event in its region's log: SHA-256 over the RFC 8785 form of what was stored, as
 * it was stored (before any upcast). Position and traceparent are left out: they are this ledger's
 * and this call's, and a replica has others.
 */
export function entryOf(event: LoggedEvent): Buffer {
  const { id, type, schemaVersion, stream, revision, data, meta } = event;
  const { traceparent: _, ...kept } = meta;
  const stored = { id, type, schemaVersion, stream, revision, data, meta: kept } as unknown as Json;
  return createHash('sha256').update(canonicalJson(stored), 'utf8').digest();
}

/** The leaf's hash in the tree. */
export const leafOf = (event: LoggedEvent): Buffer => leafHash(entryOf(event));
