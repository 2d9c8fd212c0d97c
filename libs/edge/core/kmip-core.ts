import { Secret, signJws, type KeyObject } from '@kcm/crypto';
import {
  failureOf,
  noTracer,
  type Json,
  type Random,
  type SpanAttributes,
  type Tracer,
} from '@kcm/kernel';
import {
  attribute,
  BatchErrorContinuation,
  KCM,
  LEASE_ATTRIBUTES,
  leaseWrapping,
  RENEWAL_ATTRIBUTES,
  serviceKeyName,
  State,
  KeyFormatType,
  ResultReason,
  KmipFailure,
  type Attribute,
  type TypedResult,
} from '@kcm/kmip';
import type { KmipClientOptions } from '@kcm/kmip/client';
import { endExchange, startExchange, type CoreExchange } from './core-exchange.js';
import { CoreLink } from './core-link.js';
import type { CorePort, Delivery, Lease, Notice, Proof, Refusal } from './core-port.js';
import {
  indeterminate,
  leaseFrom,
  notFound,
  noticeFrom,
  proofFrom,
  refusalFrom,
  WrongAnswer,
} from './kmip-answers.js';
import type { KmipSession } from './kmip-session.js';

/** How this Edge shows who it is, and what it signs its statements with. */
export interface EdgeCredentials {
  readonly connection: KmipClientOptions;
  /** The certificate's key. */
  readonly signingKey: KeyObject;
}
export interface KmipCoreParts extends EdgeCredentials {
  readonly boot: string;
  /** AES-256 made by this boot; disposed of by `stop`. */
  readonly kwk: Secret;
  readonly random: Random;
  readonly tracer: Tracer;
  readonly wallMs: () => number;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly onNotice: (notice: Notice) => void;
  /** As `SessionParts.onRevoked`. */
  readonly onRevoked: () => void;
  readonly onConnection: (connected: boolean, why: string | null) => void;
  /** Core said something that must not be believed. */
  readonly onWrongAnswer: (detail: string) => void;
}

/** Core over KMIP 1.4 (leases.md): turns its answers into proofs. */
export class KmipCore implements CorePort {
  readonly #link: CoreLink;
  #signingKey: KeyObject;

  constructor(private readonly parts: KmipCoreParts) {
    this.#signingKey = parts.signingKey;
    this.#link = new CoreLink({
      ...parts,
      onNotify: (uid, attributes, trace) => this.#notified(uid, attributes, trace),
      onError: parts.onWrongAnswer,
    });
  }

  start(): void {
    this.#link.start();
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  /** Connects again as the renewed certificate says; leases that are held go on. */
  reconnectAs({ connection, signingKey }: EdgeCredentials): void {
    this.#signingKey = signingKey;
    this.#link.reconnectAs(connection);
  }

  /** Ends the boot's key at Core, then the connections. */
  async stop(): Promise<void> {
    await this.#link.stop();
    this.parts.kwk.dispose();
  }

  lease(
    tenant: string,
    service: string,
    allocation: number,
    traceparent?: string,
  ): Promise<Lease | Refusal> {
    const exchange = this.#start('lease', traceparent, { 'kcm.tenant': tenant });
    return this.#ask(exchange, async ({ client, kwkUid }) => {
      const { results } = await client.batch(
        [
          {
            operation: 'Locate',
            payload: {
              maximumItems: 2,
              attributes: [
                attribute.objectName(serviceKeyName(tenant, service)),
                attribute.enumeration('State', State.Active),
              ],
            },
          },
          { operation: 'ObtainLease', payload: {} },
          { operation: 'GetUsageAllocation', payload: { count: BigInt(allocation) } },
          { operation: 'GetAttributes', payload: { attributeNames: LEASE_ATTRIBUTES } },
          { operation: 'Get', payload: getWrapped(kwkUid) },
        ],
        exchange.correlated,
      );
      const [located, ...rest] = results;
      const uids = given(located).uniqueIdentifiers;
      if (uids.length === 0) return notFound;
      if (uids.length > 1) throw new WrongAnswer('more than one current key');
      const [obtained, allocated, answered, got] = rest;
      const lease = given(obtained);
      given(allocated);
      const attributes = given(answered);
      const proof = proofFrom(uids[0]!, lease, attributes);
      return proof.ok ? leaseFrom(tenant, proof, attributes, gotten(got), this.parts.kwk) : proof;
    });
  }

  leaseOld(uid: string, traceparent?: string): Promise<Lease | Refusal> {
    const tenant = uid.slice(0, uid.indexOf('/'));
    const exchange = this.#start('lease', traceparent, { 'kcm.tenant': tenant });
    return this.#ask(exchange, async ({ client, kwkUid }) => {
      const target = { uniqueIdentifier: uid };
      const { results } = await client.batch(
        [
          { operation: 'ObtainLease', payload: target },
          { operation: 'GetAttributes', payload: { ...target, attributeNames: LEASE_ATTRIBUTES } },
          { operation: 'Get', payload: { ...target, ...getWrapped(kwkUid) } },
        ],
        exchange.correlated,
      );
      const [obtained, answered, got] = results;
      const lease = given(obtained);
      const attributes = given(answered);
      const proof = proofFrom(uid, lease, attributes);
      return proof.ok
        ? leaseFrom(
            tenant,
            { ...proof, mayProtect: false },
            attributes,
            gotten(got),
            this.parts.kwk,
          )
        : proof;
    });
  }

  async renew(uids: readonly string[]): Promise<readonly (Proof | Refusal)[]> {
    const failed = uids.map(() => indeterminate());
    const session = await this.#link.ready();
    if (session === null) return failed;
    const { span, correlated } = this.#start('renew', undefined, { 'kcm.leases': uids.length });
    try {
      const { results } = await session.client.batch(
        uids.flatMap((uniqueIdentifier) => [
          { operation: 'ObtainLease' as const, payload: { uniqueIdentifier } },
          {
            operation: 'GetAttributes' as const,
            payload: { uniqueIdentifier, attributeNames: RENEWAL_ATTRIBUTES },
          },
        ]),
        // One key that is refused must not cost the others their lease.
        { ...correlated, continuation: BatchErrorContinuation.Continue },
      );
      span.end();
      return uids.map((uid, at) =>
        this.#settled(() =>
          proofFrom(
            uid,
            given(results[2 * at] as TypedResult<'ObtainLease'>),
            given(results[2 * at + 1] as TypedResult<'GetAttributes'>),
          ),
        ),
      );
    } catch (error) {
      // The message as a whole: it says nothing about any one key.
      span.end(failureOf(error));
      this.#refused(error);
      return failed;
    }
  }

  async state(kind: 'ack' | 'usage', statement: Json, traceparent?: string): Promise<Delivery> {
    const session = await this.#link.ready();
    if (session === null) return 'unheard';
    const jws = signJws(this.#signingKey, {}, statement);
    // Reports of use come every few seconds for ever: no trace begins with them.
    const tracer = traceparent === undefined ? noTracer : this.parts.tracer;
    const parts = { ...this.parts, tracer };
    const { span, correlated } = startExchange(parts, kind, traceparent, {});
    try {
      await session.client.call(
        'ModifyAttribute',
        { uniqueIdentifier: session.kwkUid, attribute: attribute.text(KCM[kind], jws) },
        correlated,
      );
      span.end();
      return 'recorded';
    } catch (error) {
      span.end(failureOf(error));
      const refused = error instanceof KmipFailure && error.reason === ResultReason.InvalidField;
      if (!refused) return 'unheard';
      // Refused for what it is, it will be refused again: somebody has to see that.
      this.parts.onWrongAnswer(`${kind} statement refused: ${error.message}`);
      return 'refused';
    }
  }

  async #ask(
    exchange: CoreExchange,
    run: (session: KmipSession) => Promise<Lease | Refusal>,
  ): Promise<Lease | Refusal> {
    return endExchange(exchange, await this.#exchanged(run));
  }

  async #exchanged(
    run: (session: KmipSession) => Promise<Lease | Refusal>,
  ): Promise<Lease | Refusal> {
    const session = await this.#link.ready();
    if (session === null) return indeterminate();
    try {
      return await run(session);
    } catch (error) {
      if (error instanceof KeyGone) {
        // Core has forgotten this boot's key: a new session registers it again.
        void session.end();
        return indeterminate();
      }
      return this.#refused(error);
    }
  }

  #settled<T>(read: () => T): T | Refusal {
    try {
      return read();
    } catch (error) {
      return this.#refused(error);
    }
  }

  #refused(error: unknown): Refusal {
    if (error instanceof WrongAnswer) this.parts.onWrongAnswer(error.message);
    return refusalFrom(error);
  }

  #notified(uid: string, attributes: readonly Attribute[], traceparent?: string): boolean {
    const notice = noticeFrom(uid, attributes);
    if (notice === null) return false;
    this.parts.onNotice({ ...notice, traceparent });
    return true;
  }

  #start(name: string, parent: string | undefined, about: SpanAttributes): CoreExchange {
    return startExchange(this.parts, name, parent, about);
  }
}

class KeyGone extends Error {}

const getWrapped = (kwkUid: string) => ({
  keyFormatType: KeyFormatType.Raw,
  keyWrappingSpecification: leaseWrapping(kwkUid),
});

/** The payload of one item of a batch. @throws KmipFailure as the server refused it */
function given<T>(result: { ok: true; payload: T } | { ok: false; failure: KmipFailure }): T {
  if (!result.ok) throw result.failure;
  return result.payload;
}

/** A lease was granted and yet something is not found: it is the wrapping key. @throws KeyGone */
function gotten(result: TypedResult<'Get'>) {
  if (!result.ok && result.failure.reason === ResultReason.ItemNotFound) throw new KeyGone();
  return given(result);
}
