import type { CallOperation, CallsEvent, Grant } from '@kcm/domain';
import {
  type Clock,
  commandIdOf,
  eventIdOf,
  type EventMeta,
  KcmError,
  LIMITS,
  type NewEvent,
  type Position,
  rfc3339,
  type Scheduler,
  type StreamId,
  streamOf,
} from '@kcm/kernel';
import { type Ledger, StreamWriter } from '@kcm/ledger';
import type { CoreView } from '../core-view.js';
import { ownTrace, type Trace } from '../record-act.js';

export type CallPurpose = Extract<CallsEvent, { type: 'KeystoreCallIntended' }>['data']['purpose'];
export type CallOutcome = Extract<
  CallsEvent,
  { type: 'KeystoreCallSucceeded' | 'KeystoreCallRefused' | 'KeystoreCallFailed' }
>;
type Of<T extends CallsEvent['type']> = Extract<CallsEvent, { type: T }>['data'];
export type UsageReport = Of<'UsageReported'>;
/** What an event holds beside its data. */
const ENVELOPE_BYTES_MAX = 4 * 1024;

export interface JournalDeps {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly view: Pick<CoreView, 'access'>;
  readonly region: string;
  /** Id of this boot of Core; fit for a stream name. */
  readonly boot: string;
  /** Release of the software, for ProcessStarted. */
  readonly release: string;
}

/**
 * `calls-{region}.{boot}`: what this Core process did, written by it alone. What must stand before
 * an act is awaited (`intended`, `granted`, …); what follows an act is written in its turn.
 */
export class CallJournal {
  readonly stream: StreamId;
  readonly #writer: StreamWriter;
  #written = 0;

  /** @param onReplaced another process writes this stream: zeroize and stop */
  constructor(
    private readonly deps: JournalDeps,
    onReplaced: () => void,
  ) {
    this.stream = streamOf('calls', deps.region, deps.boot);
    this.#writer = new StreamWriter(deps.ledger, this.stream, deps.scheduler, onReplaced);
  }

  get stopped(): boolean {
    return this.#writer.stopped;
  }

  /** The first entry of this boot. @throws LedgerUnavailable */
  started(): Promise<Position> {
    const { boot, release } = this.deps;
    return this.#writer.write(
      this.#event(
        { type: 'ProcessStarted', data: { boot, kind: 'core', version: release } },
        null,
        ownTrace(boot),
      ),
    );
  }

  /** Durable before the call may be made. @throws LedgerUnavailable: then there is no call */
  intended(
    tenant: string,
    call: {
      readonly callId: string;
      readonly rootKeyId: string;
      readonly operation: CallOperation;
      readonly purpose: CallPurpose;
    },
    trace: Trace,
  ): Promise<Position> {
    return this.#writer.write(
      this.#event({ type: 'KeystoreCallIntended', data: call }, tenant, trace),
    );
  }

  outcome(tenant: string, outcome: CallOutcome, trace: Trace): void {
    this.#writer.later(this.#event(outcome, tenant, trace));
  }

  /** Durable before the lease may be answered. @throws LedgerUnavailable: then there is no lease */
  granted(
    kind: 'grant' | 'renew',
    tenant: string,
    grant: Grant,
    traceparent?: string,
  ): Promise<Position> {
    const type = kind === 'grant' ? 'LeasesGranted' : 'LeasesRenewed';
    const occasion = ownTrace(grant.callId, traceparent);
    return this.#writer.write(this.#event({ type, data: { grants: [grant] } }, tenant, occasion));
  }

  refused(tenant: string | null, refusal: Of<'LeaseRefused'>, correlationId: string): void {
    this.#writer.later(
      this.#event({ type: 'LeaseRefused', data: refusal }, tenant, ownTrace(correlationId)),
    );
  }

  /** Durable before the report may be answered. @throws LedgerUnavailable · invalid_request */
  async usage(report: UsageReport): Promise<Position> {
    const bytes = Buffer.byteLength(JSON.stringify(report));
    if (bytes > LIMITS.eventBytesMax - ENVELOPE_BYTES_MAX)
      throw new KcmError('invalid_request', 'The report is too large to be recorded.');
    const occasion = ownTrace(`${report.boot}.${report.seq}`);
    return this.#writer.write(this.#event({ type: 'UsageReported', data: report }, null, occasion));
  }

  /** Resolves when everything handed over is written; for an orderly stop. */
  end(): Promise<void> {
    return this.#writer.end();
  }

  #event(event: CallsEvent, tenant: string | null, trace: Trace): NewEvent {
    this.#written += 1;
    const commandId = commandIdOf(['journal', this.stream, this.#written]);
    return {
      id: eventIdOf(commandId, this.stream, 0),
      type: event.type,
      schemaVersion: 1,
      data: event.data,
      meta: this.#meta(commandId, tenant, trace),
    };
  }

  #meta(commandId: EventMeta['commandId'], tenant: string | null, trace: Trace): EventMeta {
    const access = tenant === null ? null : this.deps.view.access(tenant);
    return {
      commandId,
      fingerprint: '',
      tenant,
      actor: trace.actor,
      origin: this.deps.region,
      term: access?.term ?? 0,
      epoch: access?.epoch ?? 0,
      occurredAt: rfc3339(this.deps.clock.wallMs()),
      correlationId: trace.correlationId,
      causationId: trace.causationId,
      ...(trace.traceparent === undefined ? {} : { traceparent: trace.traceparent }),
    };
  }
}
