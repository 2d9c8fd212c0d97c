import { ResultReason, ResultStatus, isValueOf, Operation } from './enums.js';
import { KmipFailure } from './errors.js';
import { Fields } from './fields.js';
import type { RequestItem, ResponseItem } from './message.js';
import {
  operationName,
  PAYLOADS,
  type OperationName,
  type RequestOf,
  type ResponseOf,
} from './payloads/index.js';

/** A batch item by the operation's name, with its typed payload. */
export type TypedRequest = {
  [O in OperationName]: { readonly operation: O; readonly payload: RequestOf<O> };
}[OperationName];
/** What one batch item came to. */
export type TypedResult<O extends OperationName = OperationName> =
  | { readonly ok: true; readonly payload: ResponseOf<O> }
  | { readonly ok: false; readonly failure: KmipFailure };

export function requestItem<O extends OperationName>(
  operation: O,
  payload: RequestOf<O>,
  uniqueBatchItemId?: Uint8Array,
): RequestItem {
  return {
    operation: Operation[operation],
    ...(uniqueBatchItemId === undefined ? {} : { uniqueBatchItemId }),
    payload: PAYLOADS[operation].encodeRequest(payload),
  };
}

/** @throws KmipFailure: OperationNotSupported for one without a codec, or a refused payload */
export function typedRequest({ operation, payload }: RequestItem): TypedRequest {
  const name = operationName(operation);
  if (name === null)
    throw new KmipFailure(ResultReason.OperationNotSupported, 'this operation is not supported');
  return {
    operation: name,
    payload: PAYLOADS[name].decodeRequest(new Fields(payload, name)),
  } as TypedRequest;
}

/**
 * The outcome of one item of an answer. A result reason that is not in the standard, a pending or
 * an undone operation all come out as a failure: never as a success.
 * @throws KmipFailure when the answer is not one to `operation`
 */
export function typedResult<O extends OperationName>(
  operation: O,
  answer: ResponseItem,
): TypedResult<O> {
  if (answer.status !== ResultStatus.Success) return { ok: false, failure: failureOf(answer) };
  if (answer.operation !== Operation[operation] || answer.payload === undefined)
    throw new KmipFailure(ResultReason.InvalidMessage, `not an answer to ${operation}`);
  return {
    ok: true,
    payload: PAYLOADS[operation].decodeResponse(new Fields(answer.payload, operation)),
  };
}

function failureOf({ status, reason, message }: ResponseItem): KmipFailure {
  if (status === ResultStatus.OperationFailed && reason !== undefined)
    return new KmipFailure(
      isValueOf(ResultReason, reason) ? reason : ResultReason.GeneralFailure,
      message ?? '',
    );
  return new KmipFailure(ResultReason.GeneralFailure, message ?? 'the operation did not complete');
}
