import {
  correlationIdOf,
  LIMITS,
  noTracer,
  type Span,
  traceparentOf,
  type Tracer,
} from '@kcm/kernel';
import {
  BatchErrorContinuation,
  decodeRequest,
  encodeResponse,
  isValueOf,
  KMIP_1_4,
  KmipFailure,
  nameOf,
  Operation,
  PAYLOADS,
  ResultReason,
  ResultStatus,
  typedRequest,
  VERSIONS,
  type OperationName,
  type ProtocolVersion,
  type RequestItem,
  type RequestMessage,
  type RequestOf,
  type ResponseItem,
  type ResponseOf,
  type TypedRequest,
} from '../codec/index.js';

/** One message in work. The same object for each of its items, so that handlers can share by it. */
export interface Batch<Peer> {
  readonly peer: Peer;
  readonly version: ProtocolVersion;
  /** The client's correlation value if it is usable, else one of ours. */
  readonly correlationId: string;
  /** Every item as decoded; a failure stands where one cannot be. */
  readonly requests: readonly (TypedRequest | KmipFailure)[];
  /** Aborted when the connection is lost. */
  readonly signal: AbortSignal;
  /** The trace that it is part of: the client's correlation value may be a traceparent. */
  readonly traceparent: string | undefined;
  /** KMIP 1.4 §4: identifier that later items without one refer to. Set by handlers. */
  idPlaceholder: string | null;
}
/** @throws KmipFailure to refuse; anything else is answered as General Failure and reported */
export type Handler<O extends OperationName, Peer> = (
  payload: RequestOf<O>,
  batch: Batch<Peer>,
) => ResponseOf<O> | Promise<ResponseOf<O>>;
/** Payload bytes are borrowed: the message is overwritten after its answer. */
export type Handlers<Peer> = { readonly [O in OperationName]?: Handler<O, Peer> };

export interface ResponderOptions<Peer> {
  readonly handlers: Handlers<Peer>;
  readonly wallMs: () => number;
  /** For requests whose client gave no usable correlation value. */
  readonly newCorrelationId: () => string;
  readonly tracer?: Tracer;
  /** A handler threw something other than a KmipFailure. Must not throw. */
  readonly onError: (error: unknown, operation: string, correlationId: string) => void;
  /**
   * An item was answered: by the names of the standard, `unknown` for an operation that has none
   * and `none` for a whole message; `reason` null is success. Must not throw.
   */
  readonly onAnswered?: (operation: string, reason: string | null) => void;
}

/** The identifier that a payload means: its own or the ID Placeholder. @throws KmipFailure */
export function targetOf(
  payload: { readonly uniqueIdentifier?: string },
  batch: { readonly idPlaceholder: string | null },
): string {
  const uid = payload.uniqueIdentifier ?? batch.idPlaceholder;
  if (uid === null || uid === undefined)
    throw new KmipFailure(ResultReason.MissingData, 'no Unique Identifier and no ID Placeholder');
  return uid;
}

/** Answers one request message, whatever its bytes are; never throws. */
export class Responder<Peer> {
  constructor(private readonly options: ResponderOptions<Peer>) {}

  async answer(bytes: Uint8Array, peer: Peer, signal: AbortSignal): Promise<Buffer> {
    let request: RequestMessage;
    try {
      request = decodeRequest(bytes);
    } catch (error) {
      return this.refuseMessage(asFailure(error), KMIP_1_4);
    }
    const { header, items } = request;
    const version = supported(header.version) ? header.version : KMIP_1_4;
    const correlationId =
      correlationIdOf(header.clientCorrelationValue) ?? this.options.newCorrelationId();
    const refused = refusalOf(request);
    if (refused !== null) return this.refuseMessage(refused, version, correlationId);
    const span = this.started(request);
    const batch: Batch<Peer> = {
      peer,
      version,
      correlationId,
      requests: items.map(tryTyped),
      signal,
      traceparent: span.traceparent,
      idPlaceholder: null,
    };
    const results: ResponseItem[] = [];
    for (const [index, entry] of items.entries()) {
      const result = await this.execute(entry, batch.requests[index]!, batch);
      results.push(result);
      this.told(entry.operation, result);
      const goOn = header.batchErrorContinuation === BatchErrorContinuation.Continue;
      if (result.status !== ResultStatus.Success && !goOn) break;
    }
    const failed = results.find(({ status }) => status !== ResultStatus.Success);
    if (failed !== undefined) span.set({ 'kmip.reason': reasonOf(failed) });
    span.end();
    return this.respond(results, version, correlationId, header.maximumResponseSize);
  }

  /** An answer that refuses a whole message: one item that names no operation. */
  refuseMessage(failure: KmipFailure, version = KMIP_1_4, correlationId?: string): Buffer {
    this.options.onAnswered?.('none', nameOf(ResultReason, failure.reason));
    return this.encode([failedItem(failure)], version, correlationId);
  }

  private told(operation: number, result: ResponseItem) {
    const success = result.status === ResultStatus.Success;
    this.options.onAnswered?.(operationOf(operation), success ? null : reasonOf(result));
  }

  private started({ header, items }: RequestMessage): Span {
    const { tracer = noTracer } = this.options;
    const parent = traceparentOf(header.clientCorrelationValue);
    // A client that keeps no trace begins none here: its lookups and reports would be most of them.
    if (!tracer.on || parent === undefined) return noTracer.start('', 'server', parent);
    const names = [...new Set(items.map(({ operation }) => operationOf(operation)))];
    const name = `kmip ${names.slice(0, SPAN_OPERATIONS_MAX).join(' ')}`;
    return tracer.start(name, 'server', parent, { 'kmip.items': items.length });
  }

  private async execute(
    entry: RequestItem,
    request: TypedRequest | KmipFailure,
    batch: Batch<Peer>,
  ): Promise<ResponseItem> {
    const echo = {
      operation: entry.operation,
      ...(entry.uniqueBatchItemId === undefined
        ? {}
        : { uniqueBatchItemId: entry.uniqueBatchItemId }),
    };
    if (request instanceof KmipFailure) return { ...echo, ...failedItem(request) };
    try {
      const payload = await this.handle(request, batch);
      return { ...echo, status: ResultStatus.Success, payload };
    } catch (error) {
      if (!(error instanceof KmipFailure))
        this.options.onError(error, request.operation, batch.correlationId);
      return { ...echo, ...failedItem(asFailure(error)) };
    }
  }

  private async handle<O extends OperationName>(
    request: TypedRequest,
    batch: Batch<Peer>,
  ): Promise<ReturnType<(typeof PAYLOADS)[O]['encodeResponse']>> {
    const operation = request.operation as O;
    const handler = this.options.handlers[operation];
    if (handler === undefined)
      throw new KmipFailure(
        ResultReason.OperationNotSupported,
        'this operation is not supported here',
      );
    const payload = await handler(request.payload, batch);
    return PAYLOADS[operation].encodeResponse(payload) as ReturnType<
      (typeof PAYLOADS)[O]['encodeResponse']
    >;
  }

  private respond(
    items: readonly ResponseItem[],
    version: ProtocolVersion,
    correlationId: string,
    maximumResponseSize = LIMITS.ttlvMessageBytesMax,
  ): Buffer {
    try {
      const bytes = this.encode(items, version, correlationId);
      if (bytes.length <= Math.min(maximumResponseSize, LIMITS.ttlvMessageBytesMax)) return bytes;
      bytes.fill(0);
      const failure = new KmipFailure(ResultReason.ResponseTooLarge, 'the answer is too large');
      return this.refuseMessage(failure, version, correlationId);
    } catch (error) {
      this.options.onError(error, 'encode', correlationId);
      return this.refuseMessage(asFailure(error), version, correlationId);
    }
  }

  private encode(
    items: readonly ResponseItem[],
    version: ProtocolVersion,
    correlationId: string | undefined,
  ): Buffer {
    const correlated = correlationId !== undefined && version.minor >= 4;
    return encodeResponse({
      header: {
        version,
        timeStamp: BigInt(Math.floor(this.options.wallMs() / 1000)),
        ...(correlated ? { serverCorrelationValue: correlationId } : {}),
      },
      items,
    });
  }
}

/** Operations that a span's name names. */
const SPAN_OPERATIONS_MAX = 5;

const operationOf = (operation: number): string =>
  isValueOf(Operation, operation) ? nameOf(Operation, operation) : 'unknown';

const reasonOf = ({ reason = ResultReason.GeneralFailure }: ResponseItem): string =>
  nameOf(ResultReason, reason);

function failedItem(failure: KmipFailure): ResponseItem {
  return {
    status: ResultStatus.OperationFailed,
    reason: failure.reason,
    message: failure.message,
  };
}

const asFailure = (error: unknown): KmipFailure =>
  error instanceof KmipFailure
    ? error
    : new KmipFailure(ResultReason.GeneralFailure, 'internal error');

const supported = (version: ProtocolVersion): boolean =>
  VERSIONS.some(({ major, minor }) => major === version.major && minor === version.minor);

function tryTyped(entry: RequestItem): TypedRequest | KmipFailure {
  try {
    return typedRequest(entry);
  } catch (error) {
    return asFailure(error);
  }
}

/** Why a well-formed message is refused as a whole, or null. */
function refusalOf({ header, items }: RequestMessage): KmipFailure | null {
  if (!supported(header.version))
    return new KmipFailure(ResultReason.InvalidMessage, 'this protocol version is not supported');
  if (items.length === 1) return null;
  if (header.batchErrorContinuation === BatchErrorContinuation.Undo)
    return new KmipFailure(ResultReason.FeatureNotSupported, 'batches are not undone');
  const ids = items.map(({ uniqueBatchItemId }) =>
    uniqueBatchItemId === undefined ? null : Buffer.from(uniqueBatchItemId).toString('hex'),
  );
  if (ids.includes(null) || new Set(ids).size !== ids.length)
    return new KmipFailure(
      ResultReason.InvalidMessage,
      'each item of a batch needs its own Unique Batch Item ID',
    );
  return null;
}
