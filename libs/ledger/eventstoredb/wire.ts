import type { EventData as WireEvent, RecordedEvent as WireRecord } from '@eventstore/db-client';
import {
  KcmError,
  parseStream,
  type EventData,
  type EventId,
  type EventMeta,
  type RecordedEvent,
  type StreamId,
} from '@kcm/kernel';
import type { EncodedEvent } from '../append-rules.js';
import { positionOf } from './position.js';

/** What EventStoreDB keeps beside an event's data. */
interface WireMeta {
  readonly schemaVersion: number;
  readonly meta: EventMeta;
  /** Names the call that stored it: tells a repetition from the first time. */
  readonly append: string;
}
export type Kept = Omit<WireRecord, 'data' | 'metadata'> & {
  readonly data: unknown;
  readonly metadata?: unknown;
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DELETED = '$streamDeleted';
const LIMITS_OF_A_STREAM = ['$maxAge', '$maxCount', '$tb'] as const;
const NAMESPACE = /^[a-z][a-z0-9]{0,31}$/;

/** Names of our streams at a server that may hold others' too. */
export class Names {
  readonly #prefix: string;

  /** @throws KcmError invalid_request on a namespace that no stream name can hold */
  constructor(namespace: string) {
    if (!NAMESPACE.test(namespace))
      throw new KcmError('invalid_request', 'A namespace is lower-case letters and digits.');
    this.#prefix = `${namespace}.`;
  }

  /** Where the ledger's id is kept; no stream of ours can have its name. */
  get id(): string {
    return `${this.#prefix}ledger`;
  }
  at(stream: StreamId): string {
    return `${this.#prefix}${stream}`;
  }
  /** Ours under this name, or null. @throws KcmError integrity on what no release has written */
  ours(name: string): StreamId | null {
    if (!name.startsWith(this.#prefix) || name === this.id) return null;
    const stream = name.slice(this.#prefix.length);
    try {
      parseStream(stream);
    } catch (error) {
      throw new KcmError('integrity', `The ledger holds a stream that is none: ${name}`, {
        cause: error,
      });
    }
    return stream as StreamId;
  }
  /** Whose settings are kept under this name, or null. */
  settingsOf(name: string): string | null {
    return name.startsWith(`$$${this.#prefix}`) ? name.slice(2) : null;
  }
  /** Whether this is ours, the ledger's id with it. */
  under(name: string): boolean {
    return name.startsWith(this.#prefix);
  }
}

/** A link holds no event of its own. */
export const isLink = ({ type }: Kept): boolean => type === '$>';
export const isTombstone = ({ type }: Kept): boolean => type === DELETED;

/** What of a stream's settings makes the server forget events; a deletion sets `$tb`. */
export function forgets(settings: unknown): string | null {
  if (typeof settings !== 'object' || settings === null) return null;
  return LIMITS_OF_A_STREAM.find((name) => name in settings) ?? null;
}

/** @throws KcmError internal on an id that is no UUID: the server knows no other */
export function toWire(event: EncodedEvent, append: string): WireEvent {
  const { id, type, schemaVersion } = event;
  if (!UUID.test(id)) throw new KcmError('internal', `Not an event id of EventStoreDB: ${id}`);
  const metadata: WireMeta = { schemaVersion, meta: JSON.parse(event.meta) as EventMeta, append };
  return {
    id,
    type,
    contentType: 'application/json',
    data: JSON.parse(event.data) as Record<string, unknown>,
    metadata: metadata as unknown as Record<string, unknown>,
  };
}

/** @throws KcmError integrity naming stream and revision */
export function fromWire(stream: StreamId, kept: Kept): RecordedEvent {
  const { id, type, revision, data, isJson, position } = kept;
  const meta = kept.metadata as Partial<WireMeta> | undefined;
  const whole =
    isJson &&
    typeof data === 'object' &&
    data !== null &&
    typeof meta?.meta === 'object' &&
    Number.isSafeInteger(meta.schemaVersion) &&
    position !== undefined &&
    Number.isSafeInteger(Number(revision));
  if (!whole)
    throw new KcmError('integrity', `The event ${revision} of ${stream} is none of ours.`);
  return {
    id: id as EventId,
    type,
    schemaVersion: meta.schemaVersion!,
    data: data as EventData,
    meta: meta.meta,
    stream,
    revision: Number(revision),
    position: positionOf(position),
  };
}
export const appendOf = ({ metadata }: Kept): string | undefined =>
  (metadata as Partial<WireMeta> | undefined)?.append;

/** How much of memory a page spends on it. */
export const charsOf = ({ data, meta }: RecordedEvent): number =>
  JSON.stringify(data).length + JSON.stringify(meta).length;
