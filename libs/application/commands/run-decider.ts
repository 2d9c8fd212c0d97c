import type { Decider, DomainEvent } from '@kcm/domain';
import {
  type Clock,
  type CommandId,
  eventIdOf,
  KcmError,
  LIMITS,
  type NewEvent,
  oneOrMore,
  type Position,
  type RecordedEvent,
  type Revision,
  rfc3339,
  type StreamId,
} from '@kcm/kernel';
import { type EventCatalog, type Ledger, LedgerConflict, LedgerOutcomeUnknown } from '@kcm/ledger';
import type { CommandContext } from './command-context.js';

export interface Handled<E extends DomainEvent = DomainEvent> {
  /** What this command wrote, now or when it came the first time. */
  readonly events: readonly E[];
  /** Of the stream after the command; −1 when the stream does not exist. */
  readonly revision: Revision;
  /** null when nothing was written. */
  readonly position: Position | null;
  /** True when the command had been handled before. */
  readonly replayed: boolean;
}
export interface DeciderDeps {
  readonly ledger: Ledger;
  readonly catalog: EventCatalog;
  readonly clock: Clock;
  readonly region: string;
  /** The tenant's last known fence, for the envelope. */
  fence(tenant: string | null): { readonly term: number; readonly epoch: number };
}

/** Throws where a command must not be decided at all. */
export type Guard = () => Promise<void> | void;

const PAGE = 500;

interface Loaded<S> {
  readonly state: S;
  readonly revision: Revision;
  readonly mine: readonly RecordedEvent[];
}

async function load<S, E extends DomainEvent>(
  deps: DeciderDeps,
  decider: Decider<never, S, E>,
  stream: StreamId,
  commandId: CommandId | null,
): Promise<Loaded<S>> {
  let state = decider.initial;
  let revision = -1;
  const mine: RecordedEvent[] = [];
  for (;;) {
    const page = await deps.ledger.readStream(stream, revision + 1, PAGE);
    if (page.kind === 'noStream') return { state, revision, mine };
    for (const stored of page.events) {
      const event = deps.catalog.upcast(stored);
      if (event.meta.commandId === commandId) mine.push(event);
      state = decider.evolve(state, event as unknown as E);
      revision = event.revision;
    }
    if (page.end) return { state, revision, mine };
  }
}

/** The state of a stream as the ledger has it now. */
export async function stateOf<S, E extends DomainEvent>(
  deps: DeciderDeps,
  decider: Decider<never, S, E>,
  stream: StreamId,
): Promise<S> {
  return (await load(deps, decider, stream, null)).state;
}

/** The events of a command that was handled before; the same key with another body is refused. */
function replay<E extends DomainEvent>(
  mine: readonly RecordedEvent[],
  context: CommandContext,
): Handled<E> {
  if (mine[0]!.meta.fingerprint !== context.fingerprint) {
    throw new KcmError(
      'idempotency_key_reused',
      'This Idempotency-Key was used with another request body.',
    );
  }
  return {
    events: mine as unknown as readonly E[],
    revision: mine.at(-1)!.revision,
    position: mine.at(-1)!.position,
    replayed: true,
  };
}

/**
 * The one handling path: load the stream, decide, append with the revision that was read. A
 * conflict is decided anew at most LIMITS.conflictRetriesMax times; an unknown outcome is repeated
 * with the same expected revision and ids, so that nothing is stored twice.
 * @param guard what the command rests on outside its stream: asked unless it was handled before
 * @throws KcmError with the decider's code · revision_conflict · precondition_failed
 *  · idempotency_key_reused · what the guard throws · the ledger's errors
 */
export async function runDecider<C, S, E extends DomainEvent>(
  deps: DeciderDeps,
  decider: Decider<C, S, E>,
  stream: StreamId,
  command: C,
  context: CommandContext,
  guard: Guard = () => {},
): Promise<Handled<E>> {
  for (let attempt = 0; ; attempt += 1) {
    const { state, revision, mine } = await load(deps, decider, stream, context.commandId);
    if (mine.length > 0) return replay(mine, context);
    if (context.ifRevision !== undefined && context.ifRevision !== revision) {
      throw new KcmError('precondition_failed', 'The resource has changed since you read it.');
    }
    await guard();
    const decision = decider.decide(command, state);
    if (decision.kind === 'refused') {
      throw new KcmError(decision.code, decision.detail, { errors: decision.errors ?? [] });
    }
    const events = oneOrMore(
      decision.events.map((event, ordinal) => envelope(deps, stream, context, event, ordinal)),
    );
    if (events === null) return { events: [], revision, position: null, replayed: false };
    try {
      const appended = await appendOnce(deps.ledger, stream, revision, events);
      return { events: decision.events, ...appended };
    } catch (error) {
      if (!(error instanceof LedgerConflict) || attempt >= LIMITS.conflictRetriesMax) throw error;
    }
  }
}

function envelope(
  deps: DeciderDeps,
  stream: StreamId,
  context: CommandContext,
  event: DomainEvent,
  ordinal: number,
): NewEvent {
  const fence = deps.fence(context.tenant);
  const { term, epoch } = event.data;
  return {
    id: eventIdOf(context.commandId, stream, ordinal),
    type: event.type,
    schemaVersion: 1,
    data: event.data,
    meta: {
      commandId: context.commandId,
      fingerprint: context.fingerprint,
      tenant: context.tenant,
      actor: context.actor,
      origin: deps.region,
      // An event that raises one of them carries the raised one.
      term: typeof term === 'number' ? term : fence.term,
      epoch: typeof epoch === 'number' ? epoch : fence.epoch,
      occurredAt: rfc3339(deps.clock.wallMs()),
      correlationId: context.correlationId,
      causationId: context.causationId,
      ...(context.traceparent === undefined ? {} : { traceparent: context.traceparent }),
    },
  };
}

async function appendOnce(
  ledger: Ledger,
  stream: StreamId,
  revision: Revision,
  events: readonly [NewEvent, ...NewEvent[]],
) {
  const expected = revision < 0 ? 'noStream' : revision;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ledger.append(stream, expected, events);
    } catch (error) {
      if (!(error instanceof LedgerOutcomeUnknown) || attempt >= LIMITS.conflictRetriesMax)
        throw error;
    }
  }
}
