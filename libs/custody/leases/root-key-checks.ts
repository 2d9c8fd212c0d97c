import { type Clock, commandIdOf, fraction, LIMITS, type Random, streamOf } from '@kcm/kernel';
import { callTarget, type KeystoreCalls } from '../calls/keystore-calls.js';
import type { CoreView } from '../core-view.js';
import type { RootKeyPool } from '../keys/root-key-pool.js';
import { ownTrace, type RecordAct } from '../record-act.js';
import { proofTarget } from './proof.js';

export interface RootKeyChecksDeps {
  readonly view: CoreView;
  readonly calls: Pick<KeystoreCalls, 'call'>;
  readonly rootKeys: Pick<RootKeyPool, 'get'>;
  readonly record: RecordAct;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Whether the customer's keystore has a newer version of a root key, asked once an hour while it
 * answers: an unwrap says nothing of that. What is new is recorded; of a check that finds nothing new
 * there is its call in the journal and no event besides.
 */
export class RootKeyChecks {
  /** By tenant, monotonic clock. */
  readonly #dueAt = new Map<string, number>();

  constructor(private readonly deps: RootKeyChecksDeps) {}

  /** The root key has answered just now. Never throws. */
  proved(tenant: string): void {
    const { clock, random } = this.deps;
    const now = clock.monotonicMs();
    const dueAt = this.#dueAt.get(tenant);
    // The first one at any time within the hour: a start does not ask for all tenants at once.
    const wait =
      dueAt === undefined ? fraction(random) * LIMITS.rootKeyCheckMs : LIMITS.rootKeyCheckMs;
    if (dueAt !== undefined && now < dueAt) return;
    this.#dueAt.set(tenant, now + wait);
    if (dueAt !== undefined) void this.#check(tenant).catch(() => undefined);
  }

  forgetAll(): void {
    this.#dueAt.clear();
  }

  /** What cannot be asked or recorded now is asked again in an hour. @throws KcmError */
  async #check(tenant: string): Promise<void> {
    const { view, calls, rootKeys, record } = this.deps;
    const target = proofTarget(view, tenant, null);
    if (target === null) return;
    const { rootKey } = target;
    const { rootKeyId } = rootKey;
    const handle = await rootKeys.get(tenant, rootKey);
    const called = await calls.call(callTarget(tenant, rootKey), 'resolve', 'idle', {}, (call) =>
      handle.resolve(call),
    );
    if (!called.ok || called.value.resolved !== rootKey.resolved) return;
    const { keyVersion } = called.value;
    if (keyVersion === rootKey.keyVersion) return;
    const { callId } = called;
    await record(
      {
        kind: 'rootkeys',
        stream: streamOf('rootkeys', tenant),
        command: { kind: 'RecordKeyVersion', rootKeyId, keyVersion },
      },
      {
        ...ownTrace(callId, called.traceparent),
        tenant,
        commandId: commandIdOf(['custody', 'rootkeys', 'version', tenant, callId]),
      },
    );
  }
}
