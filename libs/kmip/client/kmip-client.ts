import { LIMITS } from '@kcm/kernel';
import type { OperationName, RequestOf, ResponseOf, TypedRequest } from '../codec/index.js';
import { KMIP_PROTOCOL } from '../profile/index.js';
import { KmipUnavailable, Requester, type BatchAnswer, type CallOptions } from '../wire/index.js';
import { connectTls, type KmipClientOptions } from './tls.js';

/**
 * One KMIP connection. Requests queue and are sent one after the other. Once it has ended it stays
 * so: when and how to connect again is the caller's decision.
 */
export class KmipClient implements AsyncDisposable {
  private constructor(
    private readonly requester: Requester,
    /** Resolves when the connection is over, for whatever reason. */
    readonly closed: Promise<void>,
  ) {}

  /** @throws KmipUnavailable */
  static async connect(options: KmipClientOptions): Promise<KmipClient> {
    const socket = await connectTls(options, KMIP_PROTOCOL);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const requester = new Requester(socket, options.timeoutMs ?? LIMITS.kmipAnswerMsMax);
    return new KmipClient(requester, closed);
  }

  get ended(): boolean {
    return this.requester.ended;
  }

  /**
   * Several operations in one message, in order, stopping at the first failure.
   * @throws KmipUnavailable · KmipFailure when the message as a whole was refused
   */
  batch<const T extends readonly TypedRequest[]>(
    requests: T,
    options: CallOptions = {},
  ): Promise<BatchAnswer<T>> {
    return this.requester.batch(requests, options);
  }

  /** @throws KmipUnavailable · KmipFailure when refused */
  call<O extends OperationName>(
    operation: O,
    payload: RequestOf<O>,
    options: CallOptions = {},
  ): Promise<ResponseOf<O>> {
    return this.requester.call(operation, payload, options);
  }

  async close(): Promise<void> {
    this.requester.end(new KmipUnavailable('closed by this side'));
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
