import { aeadOpen, aeadSeal, lp, Secret } from '@kcm/crypto';
import { type Cause, type Code, type Random, type Step } from '@kcm/kernel';
import type { Answer, Binding, CallContext, KeystoreDriver, RootKey } from '@kcm/keystores';

export interface FakeRefusal {
  readonly cause: Cause;
  readonly code: Code;
  readonly step: Step;
}
export interface FakeCall {
  readonly operation: 'resolve' | 'wrap' | 'unwrap';
  readonly key: string;
  readonly callId: string;
}

/** A double of a customer's keystore: real AES-GCM, answers as the test says, one key a name. */
export class FakeKeystore implements KeystoreDriver {
  readonly name = 'software';
  readonly trialOnly = true;
  readonly fields = [];
  readonly calls: FakeCall[] = [];
  /** Whether it binds the identity, as some providers cannot. */
  readonly abilities: { readonly aad: boolean; readonly requestIds: boolean };
  /** By key name, or `name@version` for one version alone; what is not named is enabled. */
  readonly refusals = new Map<string, FakeRefusal>();
  readonly #keys = new Map<string, Secret>();
  /** Current version by key name; 1 at first. Wrapped bytes begin with theirs. */
  readonly #versions = new Map<string, number>();
  #gate: Promise<void> | null = null;
  #open: () => void = () => {};

  constructor(
    private readonly random: Random,
    aad = false,
  ) {
    this.abilities = { aad, requestIds: true };
  }

  refuse(key: string, cause: Cause, code: Code, step: Step = 'state'): void {
    this.refusals.set(key, { cause, code, step });
  }
  enable(key: string): void {
    this.refusals.delete(key);
  }
  /** A new version of the key: it wraps from now on, earlier ones unwrap what they wrapped. */
  rotate(key: string): void {
    this.#versions.set(key, this.#version(key) + 1);
  }
  /** Answers decided from now on are delivered only after `deliver`. */
  delay(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }
  deliver(): void {
    this.#gate = null;
    this.#open();
  }
  unwraps(key: string): number {
    return this.calls.filter((call) => call.operation === 'unwrap' && call.key === key).length;
  }

  check() {
    return [];
  }
  trustPolicy() {
    return { identity: 'fake', policy: '', steps: [], logField: 'callId' };
  }

  async open(reference: { readonly [field: string]: unknown }): Promise<RootKey> {
    const key = String(reference['key']);
    return {
      resolve: (call) =>
        this.#answer('resolve', key, call, () => ({
          resolved: `fake/${key}`,
          keyVersion: String(this.#version(key)),
        })),
      wrap: (seed, binding, call) =>
        this.#answer('wrap', key, call, () => {
          const version = this.#version(key);
          const by = this.#key(`${key}@${version}`);
          const sealed = aeadSeal(by, this.random, seed, this.#aad(binding));
          return {
            bytes: Buffer.concat([Buffer.of(version), sealed]),
            keyVersion: String(version),
          };
        }),
      unwrap: (wrapped, binding, call) =>
        this.#answer('unwrap', `${key}@${wrapped[0]}`, call, () => {
          const by = this.#key(`${key}@${wrapped[0]}`);
          const opened = aeadOpen(by, wrapped.subarray(1), this.#aad(binding));
          const own = Buffer.alloc(opened.length);
          opened.copy(own);
          return own;
        }),
      close: async () => {},
    };
  }

  async #answer<T>(
    operation: FakeCall['operation'],
    asked: string,
    { callId }: CallContext,
    act: () => T,
  ): Promise<Answer<T>> {
    const [key = asked] = asked.split('@');
    this.calls.push({ operation, key, callId });
    const gate = this.#gate;
    const refusal = this.refusals.get(key) ?? this.refusals.get(asked);
    const answer = this.#decide(refusal, callId, act);
    if (gate !== null) await gate;
    return answer;
  }

  #decide<T>(refusal: FakeRefusal | undefined, callId: string, act: () => T): Answer<T> {
    const providerRequestId = `req-${callId}`;
    if (refusal !== undefined)
      return { ok: false, ...refusal, providerRequestId, detail: 'The fake refuses.' };
    try {
      return { ok: true, value: act(), providerRequestId };
    } catch {
      return {
        ok: false,
        cause: 'integrity',
        code: 'integrity',
        step: 'state',
        providerRequestId,
        detail: 'The fake cannot open this.',
      };
    }
  }

  #version(key: string): number {
    return this.#versions.get(key) ?? 1;
  }

  #key(name: string): Secret {
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = Secret.own(this.random.bytes(32));
      this.#keys.set(name, key);
    }
    return key;
  }

  #aad({ tenant, key, version }: Binding): Buffer {
    return this.abilities.aad ? lp(tenant, key, String(version)) : Buffer.alloc(0);
  }
}
