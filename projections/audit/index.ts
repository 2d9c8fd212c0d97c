import { EVENTS, EVENT_TYPES, type EventType, type Recorded } from '@kcm/domain';
import { type Code, type EventData, eventIdOf, OPERATIONAL, type Position } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey } from '../doc-key.js';
import { resourceOf } from './resource.js';

export interface AuditItem {
  /** Of the event that names the command, or of a call's intent. */
  readonly position: Position;
  readonly at: string;
  /** Opaque subject id, `core`, `keystore` or `process:{name}`. */
  readonly actor: string;
  /**
   * The event's name for an accepted command, the route for a refused one, `keystore.*` for a call.
   */
  readonly action: string;
  readonly resource: string;
  readonly outcome: 'accepted' | 'refused' | 'pending' | 'succeeded' | 'failed' | 'unknown';
  readonly code?: Code;
  readonly correlationId: string;
  readonly callId?: string;
  readonly providerRequestId?: string;
  /** null: the platform's own. */
  readonly tenant: string | null;
  /** How many like it a capped refusal stands for. */
  readonly count?: number;
}

const JOURNAL = [
  'KeystoreCallIntended',
  'KeystoreCallSucceeded',
  'KeystoreCallRefused',
  'KeystoreCallFailed',
  'KeystoreCallOutcomeUnknown',
  'LeaseRefused',
  'CommandRefused',
] as const satisfies readonly EventType[];
/** Recorded together with the event that names their command. */
const ACCOMPANYING: ReadonlySet<EventType> = new Set<EventType>([
  'KeyVersionWrapped',
  'KeyVersionActivated',
  'RevocationShredded',
]);
const DECIDED = EVENT_TYPES.filter(
  (type) => !OPERATIONAL.has(EVENTS[type].category) && !ACCOMPANYING.has(type),
);

/** Whether it is what its command asked for, or follows from another event of it. */
const leads = ({ id, stream, meta }: Recorded): boolean =>
  id === eventIdOf(meta.commandId, stream, 0);

function item(
  event: Recorded,
  said: Pick<AuditItem, 'action' | 'resource' | 'outcome'>,
  refs: EventData = {},
): AuditItem {
  const { code, callId, providerRequestId } = refs;
  return {
    position: event.position,
    at: event.meta.occurredAt,
    actor: event.meta.actor,
    ...said,
    ...(typeof code === 'string' ? { code: code as Code } : {}),
    correlationId: event.meta.correlationId,
    ...(typeof callId === 'string' ? { callId } : {}),
    ...(typeof providerRequestId === 'string' ? { providerRequestId } : {}),
    tenant: event.meta.tenant,
  };
}

/** An outcome whose intent is in another ledger's past still stands as an item of its own. */
const withOutcome = (
  doc: AuditItem | null,
  event: Recorded,
  outcome: AuditItem['outcome'],
  refs: { code?: Code; callId: string; providerRequestId?: string | null },
): AuditItem => {
  const settled = item(event, { action: 'keystore', resource: event.stream, outcome }, refs);
  if (doc === null) return settled;
  const { position, at, action, resource, actor, correlationId, tenant } = doc;
  return { ...settled, position, at, action, resource, actor, correlationId, tenant };
};

function evolve(doc: AuditItem | null, event: Recorded): AuditItem | null {
  switch (event.type) {
    case 'KeystoreCallIntended': {
      const { rootKeyId, operation, purpose, callId } = event.data;
      const action = `keystore.${operation}.${purpose}`;
      const resource = `/v1/tenants/${event.meta.tenant}/root-keys/${rootKeyId}`;
      return item(event, { action, resource, outcome: 'pending' }, { callId });
    }
    case 'KeystoreCallSucceeded':
      return withOutcome(doc, event, 'succeeded', event.data);
    case 'KeystoreCallRefused':
      return withOutcome(doc, event, 'refused', event.data);
    case 'KeystoreCallFailed':
      return withOutcome(doc, event, 'failed', event.data);
    case 'KeystoreCallOutcomeUnknown':
      return withOutcome(doc, event, 'unknown', event.data);
    case 'LeaseRefused': {
      const { holder, key, service, code } = event.data;
      const resource = `/v1/tenants/${event.meta.tenant}/${
        key === null ? `services/${service}` : `keys/${key}`
      }`;
      return {
        ...item(event, { action: 'lease', resource, outcome: 'refused' }, { code }),
        actor: holder,
      };
    }
    case 'CommandRefused': {
      const { action, resource, code, count } = event.data;
      return { ...item(event, { action, resource, outcome: 'refused' }, { code }), count };
    }
    default:
      return item(
        event,
        { action: event.type, resource: resourceOf(event), outcome: 'accepted' },
        event.data,
      );
  }
}

/**
 * Each command accepted or refused and each keystore call, once. Key: the position of a command,
 * `call/{callId}` of a call; lists are ordered by `at`.
 */
export const audit: Projection<AuditItem | null, Recorded> = {
  name: 'audit',
  version: 1,
  handles: [...DECIDED, ...JOURNAL],
  keys(event) {
    switch (event.type) {
      case 'KeystoreCallIntended':
      case 'KeystoreCallSucceeded':
      case 'KeystoreCallRefused':
      case 'KeystoreCallFailed':
      case 'KeystoreCallOutcomeUnknown':
        return [docKey('call', event.data.callId)];
      case 'KeyVersionDeactivated':
        return leads(event) ? [docKey(event.position)] : [];
      case 'KeyVersionDestroyed':
        return event.data.operation === undefined ? [] : [docKey(event.position)];
      default:
        return [docKey(event.position)];
    }
  },
  initial: () => null,
  evolve,
  indexes: [
    { fields: ['at'] },
    { fields: ['tenant', 'at'] },
    { fields: ['actor'] },
    { fields: ['action'] },
    { fields: ['outcome'] },
    { fields: ['correlationId'] },
  ],
};
