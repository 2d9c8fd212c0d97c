import type { Duplex } from 'node:stream';
import { LIMITS } from '@kcm/kernel';
import {
  BatchErrorContinuation,
  decodeResponse,
  encodeRequest,
  Framer,
  KMIP_1_4,
  KmipFailure,
  requestItem,
  ResultReason,
  Tag,
  typedResult,
  type OperationName,
  type RequestOf,
  type ResponseHeader,
  type ResponseMessage,
  type ResponseOf,
  type TypedRequest,
  type TypedResult,
} from '../codec/index.js';
import { KmipUnavailable } from './errors.js';

export interface CallOptions {
  readonly clientCorrelationValue?: string;
  /** Milliseconds from the moment of sending; default: the requester's. */
  readonly timeoutMs?: number;
  readonly continuation?: BatchErrorContinuation;
}
export type BatchResults<T extends readonly TypedRequest[]> = {
  readonly [K in keyof T]: TypedResult<T[K]['operation']>;
};
export interface BatchAnswer<T extends readonly TypedRequest[]> {
  readonly header: ResponseHeader;
  /** One a request, in its order. Those that the server did not execute have failed too. */
  readonly results: BatchResults<T>;
}

/** The requests an item list needs; kept while the answer is awaited. */
interface Waiting {
  readonly frame: Buffer;
  readonly timeoutMs: number;
  readonly resolve: (bytes: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The requesting side of one connection: one request at a time, the next is sent when the answer of
 * the last has come (KMIP has no multiplexing). A timeout or a malformed answer ends the
 * connection,
 * since the stream cannot be trusted after it.
 */
export class Requester {
  readonly #framer = new Framer(Tag.ResponseMessage, LIMITS.ttlvMessageBytesMax);
  readonly #queue: Waiting[] = [];
  #current: Waiting | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ended: KmipUnavailable | null = null;

  constructor(
    private readonly stream: Duplex,
    private readonly timeoutMs: number,
  ) {
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (error) => this.end(new KmipUnavailable('the connection broke', error)));
    stream.on('close', () => this.end(new KmipUnavailable('the connection was closed')));
    stream.on('end', () => this.end(new KmipUnavailable('the peer ended the connection')));
  }

  get ended(): boolean {
    return this.#ended !== null;
  }

  /**
   * One message with these operations, executed in order.
   * @throws KmipUnavailable when no trustworthy answer came · KmipFailure when the whole message
   * was
   * refused (not only an item of it)
   */
  async batch<const T extends readonly TypedRequest[]>(
    requests: T,
    options: CallOptions = {},
  ): Promise<BatchAnswer<T>> {
    const several = requests.length > 1;
    const frame = encodeRequest({
      header: {
        version: KMIP_1_4,
        ...(options.clientCorrelationValue === undefined
          ? {}
          : { clientCorrelationValue: options.clientCorrelationValue }),
        ...(several
          ? {
              batchErrorContinuation: options.continuation ?? BatchErrorContinuation.Stop,
              batchOrder: true,
            }
          : {}),
      },
      items: requests.map(({ operation, payload }, index) =>
        requestItem(operation, payload, several ? batchItemId(index) : undefined),
      ),
    });
    const bytes = await this.#exchange(frame, options.timeoutMs ?? this.timeoutMs);
    try {
      const answer = decodeResponse(bytes);
      return { header: answer.header, results: matchResults(requests, answer) };
    } catch (error) {
      // A refusal of the whole message is an answer; anything else makes the stream untrustworthy.
      if (error instanceof WholeMessageRefused) throw error.failure;
      const broken = new KmipUnavailable('the answer cannot be read', error);
      this.end(broken);
      throw broken;
    }
  }

  /** One operation alone. @throws KmipFailure when refused · KmipUnavailable */
  async call<O extends OperationName>(
    operation: O,
    payload: RequestOf<O>,
    options: CallOptions = {},
  ): Promise<ResponseOf<O>> {
    const request = { operation, payload } as unknown as TypedRequest;
    const { results } = await this.batch([request], options);
    const [result] = results;
    if (!result.ok) throw result.failure;
    return result.payload;
  }

  /** Ends the connection; what is awaited fails with `reason`. */
  end(reason: KmipUnavailable): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#current?.reject(reason);
    for (const waiting of this.#queue) {
      waiting.frame.fill(0);
      waiting.reject(reason);
    }
    this.#queue.length = 0;
    this.stream.destroy();
  }

  #exchange(frame: Buffer, timeoutMs: number): Promise<Buffer> {
    if (this.#ended !== null) {
      frame.fill(0);
      return Promise.reject(this.#ended);
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ frame, timeoutMs, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    const next = this.#queue[0];
    if (this.#current !== null || next === undefined) return;
    this.#queue.shift();
    this.#current = next;
    this.#timer = setTimeout(
      () => this.end(new KmipUnavailable(`no answer within ${next.timeoutMs} ms`)),
      next.timeoutMs,
    );
    // The frame may hold a key in the clear (Register): overwritten once it has left.
    this.stream.write(next.frame, () => next.frame.fill(0));
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#framer.push(chunk)) {
        const current = this.#current;
        if (current === null) throw new KmipUnavailable('an answer that nobody asked for');
        if (this.#timer !== null) clearTimeout(this.#timer);
        this.#current = null;
        current.resolve(message);
      }
      this.#next();
    } catch (error) {
      this.end(
        error instanceof KmipUnavailable
          ? error
          : new KmipUnavailable('the answer cannot be read', error),
      );
    }
  }
}

class WholeMessageRefused extends Error {
  constructor(readonly failure: KmipFailure) {
    super(failure.message);
  }
}

function batchItemId(index: number): Buffer {
  const id = Buffer.alloc(4);
  id.writeUInt32BE(index + 1);
  return id;
}

function matchResults<T extends readonly TypedRequest[]>(
  requests: T,
  answer: ResponseMessage,
): BatchResults<T> {
  const [first] = answer.items;
  if (answer.items.length === 1 && first !== undefined && first.operation === undefined) {
    const refused = typedResult(requests[0]!.operation, first);
    if (!refused.ok) throw new WholeMessageRefused(refused.failure);
  }
  const byIndex = new Map<number, TypedResult>();
  for (const entry of answer.items) {
    const index = requests.length === 1 ? 0 : indexOf(entry.uniqueBatchItemId);
    const request = requests[index];
    if (request === undefined || byIndex.has(index))
      throw new KmipFailure(ResultReason.InvalidMessage, 'an item that was not asked for');
    byIndex.set(index, typedResult(request.operation, entry));
  }
  return requests.map(
    (_request, index): TypedResult =>
      byIndex.get(index) ?? {
        ok: false,
        failure: new KmipFailure(
          ResultReason.OperationCanceledByRequester,
          'not executed: an earlier operation of the batch failed',
        ),
      },
  ) as unknown as BatchResults<T>;
}

const indexOf = (id: Uint8Array | undefined): number =>
  id?.length === 4 ? Buffer.from(id).readUInt32BE() - 1 : -1;
