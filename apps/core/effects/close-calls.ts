import {
  commandIdOf,
  eventIdOf,
  LIMITS,
  type NewEvent,
  oneOrMore,
  type RecordedEvent,
  type Revision,
  rfc3339,
} from '@kcm/kernel';
import type { EffectOf, EffectTrace, RunEffect } from './context.js';
import { eventsOf } from './states.js';

/**
 * Calls that an earlier boot of Core intended and left without an outcome. Writing to its stream is
 * also what stops it, should it still run: its next append conflicts.
 */
export const closeCalls: RunEffect<'closeCalls'> = async (deps, effect, trace) => {
  const { stream, callIds } = effect;
  if (stream === deps.keys.journal.stream) return;
  const asked = new Set(callIds);
  const open = new Map<string, RecordedEvent>();
  let last: Revision = -1;
  for await (const event of eventsOf(deps, stream)) {
    last = event.revision;
    const callId = event.data['callId'];
    if (typeof callId !== 'string' || !asked.has(callId)) continue;
    if (event.type === 'KeystoreCallIntended') open.set(callId, event);
    else open.delete(callId);
  }
  const occurredAt = rfc3339(deps.clock.wallMs());
  const closing = [...open].map(([callId, intent]) =>
    unknown(effect, trace, deps.region, callId, intent, occurredAt),
  );
  while (closing.length > 0) {
    const batch = oneOrMore(closing.splice(0, LIMITS.eventsPerAppendMax))!;
    last = (await deps.ledger.append(stream, last, batch)).revision;
  }
};

function unknown(
  { stream }: EffectOf<'closeCalls'>,
  trace: EffectTrace,
  region: string,
  callId: string,
  intent: RecordedEvent,
  occurredAt: string,
): NewEvent {
  const commandId = commandIdOf(['close call', stream, callId]);
  const { tenant, term, epoch, correlationId } = intent.meta;
  return {
    id: eventIdOf(commandId, stream, 0),
    type: 'KeystoreCallOutcomeUnknown',
    schemaVersion: 1,
    data: { callId },
    meta: {
      commandId,
      fingerprint: '',
      tenant,
      actor: trace.actor,
      origin: region,
      term,
      epoch,
      occurredAt,
      correlationId,
      causationId: trace.causationId,
    },
  };
}
