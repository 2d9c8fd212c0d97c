import type { OneOrMore } from './brand.js';
import type { Json } from './canonical-json.js';
import type { CommandId, EventId, Position, Revision, StreamId } from './ids.js';

export interface EventMeta {
  readonly commandId: CommandId;
  /** HMAC-SHA256 (hex) over JCS of the whole command body, key per tenant in the directory. */
  readonly fingerprint: string;
  readonly tenant: string | null;
  /** Opaque subject id; the directory knows the name. */
  readonly actor: string;
  /** Region that decided the event. */
  readonly origin: string;
  readonly term: number;
  readonly epoch: number;
  /** Writer's clock, RFC 3339 UTC. */
  readonly occurredAt: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent?: string;
}

/**
 * What an event may say: JSON only, so that a Secret or a Buffer does not fit (see the type test).
 */
export type EventData = { readonly [key: string]: Json | undefined };

export interface NewEvent<T extends string = string, D = EventData> {
  readonly id: EventId;
  readonly type: T;
  readonly schemaVersion: number;
  readonly data: D;
  readonly meta: EventMeta;
}

export interface RecordedEvent<T extends string = string, D = EventData> extends NewEvent<T, D> {
  readonly stream: StreamId;
  readonly revision: Revision;
  readonly position: Position;
}

/** What a feed of the ledger yields, in ledger order. */
export type FeedItem =
  | { readonly kind: 'events'; readonly events: OneOrMore<RecordedEvent> }
  /** Nothing of ours up to here; the checkpoint may move. */
  | { readonly kind: 'passed'; readonly position: Position }
  | { readonly kind: 'caughtUp' }
  | { readonly kind: 'fellBehind' };

/** What is told of an event: neither who caused it nor with what body. */
export interface ToldEvent {
  readonly tenant: string | null;
  readonly id: EventId;
  readonly type: string;
  readonly schemaVersion: number;
  readonly stream: StreamId;
  readonly revision: Revision;
  readonly at: string;
  /** Region that decided it. */
  readonly origin: string;
  readonly term: number;
  readonly epoch: number;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent?: string;
  readonly data: EventData;
}
