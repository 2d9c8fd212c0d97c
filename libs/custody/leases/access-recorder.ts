import { type Code, commandIdOf, isUndecided, type Recording, streamOf } from '@kcm/kernel';
import { providerDenials } from './access-gate.js';
import type { CoreView } from '../core-view.js';
import type { ActContext, CustodyAct, RecordAct } from '../record-act.js';

/** The keystore call that showed something. */
export interface Observation {
  readonly rootKeyId: string;
  readonly callId: string;
  readonly providerRequestId: string | null;
}
/** The call, and the trace that it was part of. */
type Occasion = Pick<ActContext, 'traceparent'> & { readonly callId: string };

export interface AccessRecorderDeps {
  readonly record: RecordAct;
  readonly view: Pick<CoreView, 'access'>;
  readonly recording: Pick<Recording, 'add' | 'has'>;
}

/**
 * Writes down what a keystore's answer did to a tenant's access, in the order in which it happened
 * and for as long as it takes: the access stream first, the root key's after it. Repeating is
 * harmless, each act has one command id.
 */
export class AccessRecorder {
  /** Locks that this process took and that the view may not show yet. */
  readonly #taken = new Map<string, Set<string>>();

  constructor(private readonly deps: AccessRecorderDeps) {}

  denied(tenant: string, seen: Observation, code: Code, traceparent?: string): void {
    const { rootKeyId, callId, providerRequestId } = seen;
    const lock = `rev-${callId}`;
    const of = { callId, traceparent };
    this.#locksOf(tenant).add(lock);
    this.#enqueue(tenant, callId, 'denied', async () => {
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
    const of = { callId: seen.callId, traceparent };
    this.#enqueue(tenant, seen.callId, 'indeterminate', () =>
      this.#rootKey(tenant, of, 'indeterminate', {
        kind: 'RecordIndeterminate',
        code,
        ...seen,
      }),
    );
  }

  /** `done` runs once the release is durable: access comes back after its record, never before. */
  restored(tenant: string, seen: Observation, done: () => void, traceparent?: string): void {
    const of = { callId: seen.callId, traceparent };
    this.#enqueue(tenant, seen.callId, 'restored', async () => {
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
    return this.deps.recording.has(queueOf(tenant));
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
      if (isUndecided(error)) throw error;
    }
  }

  #enqueue(tenant: string, callId: string, verb: string, record: () => Promise<void>): void {
    const commandId = commandIdOf(['custody', 'rootkeys', verb, tenant, callId]);
    const act = { act: `keystore ${verb}`, tenant, actor: 'keystore', commandId };
    this.deps.recording.add(queueOf(tenant), act, record);
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

const queueOf = (tenant: string): string => `keystore ${tenant}`;
