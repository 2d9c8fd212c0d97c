import { type KeyObject, type Secret, signJws } from '@kcm/crypto';
import {
  failureOf,
  noTracer,
  type Json,
  type Random,
  type SpanAttributes,
  type Tracer,
} from '@kcm/kernel';
import { attribute, KCM, ResultReason, KmipFailure, type Attribute } from '@kcm/kmip';
import { endExchange, startExchange, type CoreExchange } from './core-exchange.js';
import { CoreLink } from './core-link.js';
import type { EdgeCredentials } from './edge-credentials.js';
import type { CorePort, Delivery, Lease, Notice, Proof, Refusal } from './core-port.js';
import { indeterminate, noticeFrom, refusalFrom, WrongAnswer } from './kmip-answers.js';
import type { KmipSession } from './kmip-session.js';
import { KeyGone, obtainLease, obtainOldLease, renewLeases } from './lease-messages.js';

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
    allocation: number | null,
    traceparent?: string,
  ): Promise<Lease | Refusal> {
    const exchange = this.#start('lease', traceparent, { 'kcm.tenant': tenant });
    const { kwk } = this.parts;
    return this.#ask(exchange, (session) =>
      obtainLease(session, exchange.correlated, kwk, { tenant, service, allocation }),
    );
  }

  leaseOld(uid: string, traceparent?: string): Promise<Lease | Refusal> {
    const tenant = uid.slice(0, uid.indexOf('/'));
    const exchange = this.#start('lease', traceparent, { 'kcm.tenant': tenant });
    const { kwk } = this.parts;
    return this.#ask(exchange, (session) =>
      obtainOldLease(session, exchange.correlated, kwk, { tenant, uid }),
    );
  }

  async renew(uids: readonly string[]): Promise<readonly (Proof | Refusal)[]> {
    const failed = uids.map(() => indeterminate());
    const session = await this.#link.ready();
    if (session === null) return failed;
    const { span, correlated } = this.#start('renew', undefined, { 'kcm.leases': uids.length });
    try {
      const renewed = await renewLeases(session, correlated, uids);
      span.end();
      return renewed.map((read) => this.#settled(read));
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
