import type { CallOperation, RootKeyEntry } from '@kcm/domain';
import {
  canonicalJson,
  type Cause,
  type Clock,
  type Code,
  KcmError,
  type LeaseClock,
  LIMITS,
  noTracer,
  type Random,
  type Reading,
  type Scheduler,
  type Span,
  TokenBucket,
  type Tracer,
  uuidv4,
  within,
} from '@kcm/kernel';
import type { Answer, CallContext } from '@kcm/keystores';
import type { CallJournal, CallPurpose } from './journal.js';
import { ownTrace, type Trace } from '../record-act.js';

type AnswerTo<T, Ok extends boolean> = Extract<Answer<T>, { ok: Ok }>;
/**
 * An answer with the call that gave it. A refusal without a call id was decided before any call.
 */
export type Called<T> =
  (AnswerTo<T, true> & Traced & { readonly callId: string; readonly sent: Reading }) | CallRefused;
export type CallRefused = AnswerTo<never, false> &
  Traced & {
    readonly callId: string | null;
    readonly sent: Reading | null;
  };
/** What stands for the call in a trace: what is done because of its answer is part of that. */
type Traced = Pick<Trace, 'traceparent'>;

export interface CallTarget {
  readonly tenant: string;
  readonly rootKeyId: string;
  /** The driver's name. */
  readonly keystore: string;
  /** As `providerOf` names it. */
  readonly provider: string;
}

/** One provider = one keystore at one address: what shares a rate limit and a way to be down. */
export function providerOf(entry: Pick<RootKeyEntry, 'keystore' | 'reference'>): string {
  const { url, address, endpoint, host, port } = entry.reference;
  const where = [url, address, endpoint, host, port].map((part) => part ?? null);
  return canonicalJson([entry.keystore, ...where]);
}

export const callTarget = (
  tenant: string,
  entry: Pick<RootKeyEntry, 'rootKeyId' | 'keystore' | 'reference'>,
): CallTarget => ({
  tenant,
  rootKeyId: entry.rootKeyId,
  keystore: entry.keystore,
  provider: providerOf(entry),
});

/** A call that was made and is over. */
export interface CallSeen {
  readonly keystore: string;
  readonly operation: CallOperation;
  readonly outcome: 'ok' | Cause;
  readonly seconds: number;
}

export interface KeystoreCallsDeps {
  readonly journal: Pick<CallJournal, 'intended' | 'outcome'>;
  readonly clock: Clock;
  readonly leaseClock: LeaseClock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly tracer?: Tracer;
  /** Must not throw. */
  readonly onCalled?: (seen: CallSeen) => void;
}

/**
 * The only way to a customer's keystore: within the provider's rate, recorded before and after,
 * ended after `LIMITS.keystoreCallMsMax`.
 */
export class KeystoreCalls {
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(private readonly deps: KeystoreCallsDeps) {}

  /**
   * Never throws for what a keystore or the ledger did: no intent recorded → no call.
   * @param trace what it is done for; without an actor it is on Core's own account
   */
  async call<T>(
    target: CallTarget,
    operation: CallOperation,
    purpose: CallPurpose,
    trace: Trace | Traced,
    run: (call: CallContext) => Promise<Answer<T>>,
  ): Promise<Called<T>> {
    const { tracer = noTracer } = this.deps;
    const span = tracer.start(`keystore ${operation}`, 'client', trace.traceparent, {
      'kcm.tenant': target.tenant,
      'kcm.root_key': target.rootKeyId,
      'kcm.keystore': target.keystore,
      'kcm.purpose': purpose,
    });
    const called = await this.#call(target, operation, purpose, trace, span, run);
    span.set({
      'kcm.call_id': called.callId ?? undefined,
      'kcm.provider_request_id': called.providerRequestId ?? undefined,
      ...(called.ok ? {} : { 'kcm.cause': called.cause }),
    });
    span.end(called.ok ? undefined : called.code);
    return { ...called, traceparent: span.traceparent };
  }

  async #call<T>(
    target: CallTarget,
    operation: CallOperation,
    purpose: CallPurpose,
    trace: Trace | Traced,
    { traceparent }: Span,
    run: (call: CallContext) => Promise<Answer<T>>,
  ): Promise<Called<T>> {
    const { journal, leaseClock, random, tracer = noTracer } = this.deps;
    if (!(await this.#turn(target.provider)))
      return before('root_key_throttled', 'Too many calls to this keystore are waiting.');
    const callId = uuidv4(random);
    const { tenant, rootKeyId } = target;
    const occasion = { ...ownTrace(callId), ...trace, traceparent };
    try {
      await journal.intended(tenant, { callId, rootKeyId, operation, purpose }, occasion);
    } catch {
      return before('ledger_unavailable', 'The call could not be recorded, so it was not made.');
    }
    // The proof counts from here: after the record, before the first byte leaves.
    const sent = leaseClock.reading();
    // A caller's trace is shown to the customer only where the operator traces.
    const shown = tracer.on ? traceparent : undefined;
    const answer = await this.#within({ callId, traceparent: shown }, run);
    const seconds = leaseClock.ageMs(sent) / 1000;
    const outcome = answer.ok ? 'ok' : answer.cause;
    this.deps.onCalled?.({ keystore: target.keystore, operation, outcome, seconds });
    journal.outcome(tenant, outcomeOf(callId, answer), occasion);
    return { ...answer, callId, sent };
  }

  async #turn(provider: string): Promise<boolean> {
    const now = this.deps.clock.monotonicMs();
    const { keystoreCallsAtOnceMax: atOnce, keystoreCallsPerSecondMax: perSecond } = LIMITS;
    const bucket = this.#buckets.get(provider) ?? new TokenBucket(atOnce, perSecond, now);
    this.#buckets.set(provider, bucket);
    const waitMs = bucket.reserveMs(now, LIMITS.keystoreTurnMsMax);
    if (waitMs === null) return false;
    if (waitMs > 0)
      await new Promise<void>((resolve) => {
        this.deps.scheduler.after(waitMs, resolve);
      });
    return true;
  }

  async #within<T>(
    call: Omit<CallContext, 'signal'>,
    run: (call: CallContext) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    const abort = new AbortController();
    const running = run({ ...call, signal: abort.signal }).catch((error: unknown): Answer<T> => {
      // A driver maps all it can; what it throws proves nothing about the key.
      const code = error instanceof KcmError ? error.code : 'root_key_unreachable';
      return unproven(code, 'The keystore driver failed.');
    });
    const first = await within(this.deps.scheduler, LIMITS.keystoreCallMsMax, running);
    if (first !== 'late') return first;
    abort.abort();
    void running.then(discard);
    return unproven('root_key_unreachable', 'The keystore did not answer in time.');
  }
}

/** A key that arrives when nobody waits for it any more. */
function discard<T>(answer: Answer<T>): void {
  if (answer.ok && answer.value instanceof Uint8Array) answer.value.fill(0);
}

const unproven = (code: Code, detail: string) =>
  ({
    ok: false,
    cause: 'indeterminate',
    code,
    step: 'network',
    detail,
    providerRequestId: null,
  }) as const;

const before = (code: Code, detail: string): CallRefused => ({
  ...unproven(code, detail),
  callId: null,
  sent: null,
});

function outcomeOf(callId: string, answer: Answer<unknown>) {
  const { providerRequestId } = answer;
  if (answer.ok)
    return { type: 'KeystoreCallSucceeded', data: { callId, providerRequestId } } as const;
  const { cause, code } = answer;
  // `denied` and `integrity` are answers; the other two say that nothing was learnt.
  const type =
    cause === 'denied' || cause === 'integrity' ? 'KeystoreCallRefused' : 'KeystoreCallFailed';
  return { type, data: { callId, cause, code, providerRequestId } } as const;
}
