import {
  type Code,
  commandIdOf,
  fullJitterMs,
  KcmError,
  LIMITS,
  type Random,
  type Scheduler,
  streamOf,
} from '@kcm/kernel';
import { providerDenials } from './access-gate.js';
import type { CoreView } from '../core-view.js';
import type { ActContext, CustodyAct, RecordAct } from '../record-act.js';

/** The keystore call that showed something. */
export interface Observation {
  readonly rootKeyId: string;
  readonly callId: string;
  readonly providerRequestId: string | null;
}
type Job = () => Promise<void>;
/** The call, and the trace that it was part of. */
type Occasion = Pick<ActContext, 'traceparent'> & { readonly callId: string };

export interface AccessRecorderDeps {
  readonly record: RecordAct;
  readonly view: Pick<CoreView, 'access'>;
  readonly scheduler: Scheduler;
  readonly random: Random;
}

/**
 * Writes down what a keystore's answer did to a tenant's access, in the order in which it happened
 * and for as long as it takes: the access stream first, the root key's after it. Repeating is
 * harmless, each act has one command id.
 */
export class AccessRecorder {
  readonly #queues = new Map<string, Job[]>();
  /** Locks that this process took and that the view may not show yet. */
  readonly #taken = new Map<string, Set<string>>();
  #stopped = false;

  constructor(private readonly deps: AccessRecorderDeps) {}

  denied(tenant: string, seen: Observation, code: Code, traceparent?: string): void {
    const { rootKeyId, callId, providerRequestId } = seen;
    const lock = `rev-${callId}`;
    const of = { callId, traceparent };
    this.#locksOf(tenant).add(lock);
    this.#enqueue(tenant, async () => {
      const command = {
        kind: 'TakeLock',
        lock,
        lockKind: 'providerDenied',
        scope: { all: true },
        owner: 'keystore',
        cause: code,
        rootKeyId,
        callId,
        ...(providerRequestId === null ? {} : { providerRequestId }),
      } as const;
      await this.#act(tenant, of, 'denied', {
        kind: 'access',
        stream: streamOf('access', tenant),
        command,
      });
      await this.#rootKey(tenant, of, 'denied', { kind: 'RecordDenied', code, ...seen });
    });
  }

  indeterminate(tenant: string, seen: Observation, code: Code, traceparent?: string): void {
    this.#enqueue(tenant, () =>
      this.#rootKey(tenant, { callId: seen.callId, traceparent }, 'indeterminate', {
        kind: 'RecordIndeterminate',
        code,
        ...seen,
      }),
    );
  }

  /** `done` runs once the release is durable: access comes back after its record, never before. */
  restored(tenant: string, seen: Observation, done: () => void, traceparent?: string): void {
    const of = { callId: seen.callId, traceparent };
    this.#enqueue(tenant, async () => {
      const locks = this.#locksOf(tenant);
      for (const { lock } of providerDenials(this.deps.view.access(tenant))) locks.add(lock);
      for (const lock of locks) {
        const command = { kind: 'ReleaseLock', lock, owner: 'keystore' } as const;
        const stream = streamOf('access', tenant);
        await this.#act(tenant, of, `released ${lock}`, {
          kind: 'access',
          stream,
          command,
        });
      }
      this.#taken.delete(tenant);
      await this.#rootKey(tenant, of, 'restored', { kind: 'RecordRestored', ...seen });
      done();
    });
  }

  /** True while something about this tenant is not recorded yet. */
  pending(tenant: string): boolean {
    return this.#queues.has(tenant);
  }

  /** For a process that has been replaced or ends; a mere seal lets it go on. */
  stop(): void {
    this.#stopped = true;
    this.#queues.clear();
    this.#taken.clear();
  }

  #rootKey(
    tenant: string,
    of: Occasion,
    verb: string,
    command: Extract<CustodyAct, { kind: 'rootkeys' }>['command'],
  ): Promise<void> {
    const stream = streamOf('rootkeys', tenant);
    return this.#act(tenant, of, verb, { kind: 'rootkeys', stream, command });
  }

  /** @throws the ledger's trouble; a decider's refusal says that there is nothing left to record */
  async #act(tenant: string, of: Occasion, verb: string, act: CustodyAct): Promise<void> {
    const { callId, traceparent } = of;
    const context: ActContext = {
      actor: 'keystore',
      correlationId: callId,
      causationId: callId,
      traceparent,
      tenant,
      commandId: commandIdOf(['custody', act.kind, verb, tenant, callId]),
    };
    try {
      await this.deps.record(act, context);
    } catch (error) {
      if (!(error instanceof KcmError) || TROUBLE.has(error.code)) throw error;
    }
  }

  #enqueue(tenant: string, job: Job): void {
    if (this.#stopped) return;
    const queue = this.#queues.get(tenant);
    if (queue !== undefined) {
      queue.push(job);
      return;
    }
    const fresh = [job];
    this.#queues.set(tenant, fresh);
    void this.#run(tenant, fresh, 0);
  }

  async #run(tenant: string, queue: Job[], attempt: number): Promise<void> {
    while (queue.length > 0 && this.#queues.get(tenant) === queue) {
      try {
        await queue[0]!();
        queue.shift();
      } catch {
        const { retryMsMin, retryMsMax } = LIMITS;
        const ms = fullJitterMs(this.deps.random, attempt, retryMsMin, retryMsMax);
        this.deps.scheduler.after(ms, () => void this.#run(tenant, queue, attempt + 1));
        return;
      }
    }
    if (this.#queues.get(tenant) === queue) this.#queues.delete(tenant);
  }

  #locksOf(tenant: string): Set<string> {
    let locks = this.#taken.get(tenant);
    if (locks === undefined) {
      locks = new Set();
      this.#taken.set(tenant, locks);
    }
    return locks;
  }
}

const TROUBLE: ReadonlySet<string> = new Set([
  'ledger_unavailable',
  'revision_conflict',
  'sealed',
  'internal',
]);
