import { base64Of, ownMemory } from '@kcm/kernel';
import { meaningOf, NO_ANSWER, refused } from '../cause-table.js';
import { callSignal, NoAnswer } from '../exchange.js';
import type {
  Answer,
  Binding,
  CallContext,
  ResolvedKey,
  RootKey,
  WrappedSeed,
} from '../keystore.js';
import { VAULT_CAUSES } from './causes.js';
import {
  isOwnRefusal,
  objectOf,
  requestIdOf,
  type VaultClient,
  type VaultReply,
  type VaultRequest,
} from './client.js';
import { blobOf, boundText, type KeyFacts, keyFactsOf, readBlob } from './key-facts.js';
import type { Granted, VaultCall, VaultSession } from './session.js';

const SEED_BYTES = 32;

export interface VaultTarget {
  readonly mount: string;
  readonly key: string;
  /** Stands for the cluster where the server does not name itself. */
  readonly addressFingerprint: string;
  /** The id that resolve() gave when the key was connected. */
  readonly pinned: string | null;
}
interface Known {
  readonly facts: KeyFacts;
  readonly resolved: string;
  readonly requestId: string | null;
}

/** A key of the transit engine of OpenBao or HashiCorp Vault. */
export class VaultRootKey implements RootKey {
  readonly #target: VaultTarget;
  readonly #client: VaultClient;
  readonly #session: VaultSession;
  #pinned: string | null;

  constructor(target: VaultTarget, client: VaultClient, session: VaultSession) {
    this.#target = target;
    this.#client = client;
    this.#session = session;
    this.#pinned = target.pinned;
  }

  resolve(call: CallContext): Promise<Answer<ResolvedKey>> {
    return this.#guarded(call, async (within) => {
      const known = await this.#identify(within);
      if (!known.ok) return known;
      const { facts, resolved, requestId } = known.value;
      this.#pinned ??= resolved;
      const keyVersion = String(facts.latestVersion);
      return { ok: true, value: { resolved, keyVersion }, providerRequestId: requestId };
    });
  }

  /** Reads the key first: an encrypt call would create a key that is missing (upsert). */
  wrap(seed: Uint8Array, binding: Binding, call: CallContext): Promise<Answer<WrappedSeed>> {
    return this.#guarded(call, async (within) => {
      const known = await this.#identify(within);
      if (!known.ok) return known;
      const mode = known.value.facts.derived ? 'context' : 'associated_data';
      const json = {
        plaintext: base64Of(seed),
        [mode]: boundText(binding),
      };
      const reply = await this.#post('encrypt', json, within);
      if (!reply.ok) return refused(reply.meaning);
      if (reply.value.status !== 200) return this.#byStatus(reply.value, within);
      const blob = blobOf(objectOf(reply.value.body?.['data'])?.['ciphertext'], mode);
      if (blob === null) return refused(NO_ANSWER.malformed, requestIdOf(reply.value));
      return {
        ok: true,
        value: { bytes: blob.bytes, keyVersion: String(blob.v) },
        providerRequestId: requestIdOf(reply.value),
      };
    });
  }

  unwrap(wrapped: Uint8Array, binding: Binding, call: CallContext): Promise<Answer<Buffer>> {
    return this.#guarded(call, async (within) => {
      const blob = readBlob(wrapped);
      if (blob === null) return told('blob refused');
      const json = { ciphertext: blob.ciphertext, [blob.mode]: boundText(binding) };
      const reply = await this.#post('decrypt', json, within);
      if (!reply.ok) return refused(reply.meaning);
      const { status, body } = reply.value;
      if (status === 400 && isOwnRefusal(reply.value)) return this.#whyRefused(blob.v, within);
      if (status !== 200) return this.#byStatus(reply.value, within);
      const seed = seedOf(objectOf(body?.['data'])?.['plaintext']);
      if (seed === null) return refused(NO_ANSWER.malformed, requestIdOf(reply.value));
      return { ok: true, value: seed, providerRequestId: requestIdOf(reply.value) };
    });
  }

  async close(): Promise<void> {
    await this.#session.close();
    this.#client.close();
  }

  /** A decrypt was answered 400: the key's own state says which of its many meanings holds. */
  async #whyRefused(version: number, call: VaultCall): Promise<Answer<never>> {
    const known = await this.#identify(call);
    if (!known.ok) return known.code === 'root_key_forbidden' ? told('key unreadable') : known;
    const { minDecryptionVersion } = known.value.facts;
    return told(version < minDecryptionVersion ? 'key version disabled' : 'blob refused');
  }

  /** The key's state and immutable id; refused when it is gone, unusable or not the pinned one. */
  async #identify(
    call: VaultCall,
  ): Promise<{ readonly ok: true; readonly value: Known } | Refusal> {
    const cluster = await this.#cluster(call);
    if (!cluster.ok) return cluster;
    const { mount, key } = this.#target;
    const read = await this.#get(`${mount}/keys/${key}`, call);
    if (!read.ok) return refusedNow(read.meaning);
    if (read.value.status !== 200) return this.#byStatus(read.value, call);
    const facts = keyFactsOf(read.value);
    if (facts === null) return refusedNow(NO_ANSWER.malformed);
    if (facts.softDeleted) return told('key soft-deleted');
    if (!facts.usable) return told('key wrong algorithm');
    const mounted = await this.#get(`sys/internal/ui/mounts/${mount}`, call);
    if (!mounted.ok) return refusedNow(mounted.meaning);
    const accessor = objectOf(mounted.value.body?.['data'])?.['accessor'];
    if (mounted.value.status !== 200 || typeof accessor !== 'string')
      return this.#byStatus(mounted.value, call);
    const resolved = this.#resolvedOf(`${cluster.value}/${accessor}/${key}/`, facts);
    if (resolved === null) return told('key version disabled');
    if (this.#pinned !== null && resolved !== this.#pinned) return told('key another');
    return { ok: true, value: { facts, resolved, requestId: requestIdOf(read.value) } };
  }

  /**
   * `{cluster}/{mount accessor}/{key}/{creation of version 1}`. While version 1 is archived its
   * creation is not told: then the pinned id stands if the rest of it agrees, else null.
   */
  #resolvedOf(prefix: string, { firstCreated }: KeyFacts): string | null {
    if (firstCreated !== null) return `${prefix}${firstCreated}`;
    return this.#pinned?.startsWith(prefix) === true ? this.#pinned : null;
  }

  /**
   * The id of the cluster that answers; the address's fingerprint where the server tells none.
   * Another cluster than the pinned one is no evidence about the customer's key.
   */
  async #cluster(
    call: VaultCall,
  ): Promise<{ readonly ok: true; readonly value: string } | Refusal> {
    const status = await this.#sealStatus(call);
    if (status.body?.['sealed'] === true) return told('sealed');
    if (status.status !== 200 && !isOwnRefusal(status)) return told(String(status.status));
    const id = status.body?.['cluster_id'];
    const value = typeof id === 'string' && id !== '' ? id : this.#target.addressFingerprint;
    const same = this.#pinned === null || this.#pinned.startsWith(`${value}/`);
    return same ? { ok: true, value } : told('server another');
  }

  async #byStatus(reply: VaultReply, call: VaultCall): Promise<Refusal> {
    if (reply.status === 404 && isOwnRefusal(reply)) return told('key absent');
    if (reply.status !== 503) return told(String(reply.status));
    const { body } = await this.#sealStatus(call);
    return told(body?.['sealed'] === true ? 'sealed' : '503');
  }

  #sealStatus(call: VaultCall): Promise<VaultReply> {
    const path = 'sys/seal-status';
    return this.#client.request({ method: 'GET', path, token: null, atRoot: true, ...call });
  }

  #get(path: string, call: VaultCall): Promise<Granted<VaultReply>> {
    return this.#send({ method: 'GET', path }, call);
  }

  #post(
    verb: string,
    json: VaultRequest['json'] & {},
    call: VaultCall,
  ): Promise<Granted<VaultReply>> {
    const { mount, key } = this.#target;
    return this.#send({ method: 'POST', path: `${mount}/${verb}/${key}`, json }, call);
  }

  #send(
    request: Pick<VaultRequest, 'method' | 'path' | 'json'>,
    call: VaultCall,
  ): Promise<Granted<VaultReply>> {
    return this.#session.run(call, (token) => this.#client.request({ ...request, token, ...call }));
  }

  /** One call with all that it takes to understand its answer, inside one time limit. */
  async #guarded<T>(
    call: CallContext,
    run: (within: VaultCall) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    try {
      const { callId, traceparent } = call;
      return await run({ callId, traceparent, signal: callSignal(call.signal) });
    } catch (error) {
      return refused(error instanceof NoAnswer ? NO_ANSWER[error.reason] : NO_ANSWER.malformed);
    }
  }
}

type Refusal = Answer<never> & { readonly ok: false };
const refusedNow = (meaning: Parameters<typeof refused>[0]): Refusal =>
  refused<never>(meaning) as Refusal;
const told = (fact: string): Refusal => refusedNow(meaningOf(VAULT_CAUSES, fact));

/** In memory of its own; null for anything but 32 bytes in base64. */
function seedOf(value: unknown): Buffer | null {
  if (typeof value !== 'string' || value.length !== 44) return null;
  const seed = ownMemory(SEED_BYTES);
  return seed.write(value, 'base64') === SEED_BYTES ? seed : null;
}
