import { EVENT_TYPES, EVENTS, type Recorded } from '@kcm/domain';
import { type Category, parseStream, type Position, type ToldEvent } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey } from '../doc-key.js';

/** One event of a tenant, as it is told. */
export interface EventDoc extends ToldEvent {
  readonly tenant: string;
  readonly position: Position;
}

/** The lifecycle streams that a tenant owns. */
const CATEGORIES: ReadonlySet<Category> = new Set([
  'tenant',
  'access',
  'rootkeys',
  'key',
  'revocation',
]);

/**
 * A document an event of a tenant's own lifecycle streams, so that whoever reads a tenant's events
 * never touches the ledger. Key: tenant/position.
 */
export const events: Projection<EventDoc | null, Recorded> = {
  name: 'events',
  version: 1,
  handles: EVENT_TYPES.filter((type) => CATEGORIES.has(EVENTS[type].category)),
  keys: (event) => [docKey(parseStream(event.stream).owner, event.position)],
  initial: () => null,
  evolve(_before, event) {
    const { id, type, schemaVersion, stream, revision, position, data, meta } = event;
    const { origin, term, epoch, correlationId, causationId, traceparent, occurredAt } = meta;
    return {
      tenant: parseStream(stream).owner,
      position,
      id,
      type,
      schemaVersion,
      stream,
      revision,
      at: occurredAt,
      origin,
      term,
      epoch,
      correlationId,
      causationId,
      ...(traceparent === undefined ? {} : { traceparent }),
      data,
    };
  },
  indexes: [{ fields: ['tenant', 'position'] }, { fields: ['tenant', 'id'] }],
};
