import { LIMITS } from '@kcm/kernel';
import { decodeItem } from './decode.js';
import { encodeItem } from './encode.js';
import { BatchErrorContinuation, ResultReason, ResultStatus } from './enums.js';
import { KmipFailure, TtlvError } from './errors.js';
import { Fields } from './fields.js';
import { Tag } from './tags.js';
import { item, optional, present, type Item } from './ttlv.js';

export interface ProtocolVersion {
  readonly major: number;
  readonly minor: number;
}
/** Newest first: what Discover Versions answers. */
export const VERSIONS: readonly ProtocolVersion[] = [4, 3, 2, 1, 0].map((minor) => ({
  major: 1,
  minor,
}));
export const KMIP_1_4: ProtocolVersion = { major: 1, minor: 4 };

/** KMIP 1.4 §7.2. Absent options have the standard's defaults. */
export interface RequestHeader {
  readonly version: ProtocolVersion;
  /** Bytes. */
  readonly maximumResponseSize?: number;
  readonly clientCorrelationValue?: string;
  readonly serverCorrelationValue?: string;
  readonly asynchronousIndicator?: boolean;
  /** A credential in the message (§6.6); this library reads identity from the certificate only. */
  readonly authentication?: readonly Item[];
  readonly batchErrorContinuation?: BatchErrorContinuation;
  readonly batchOrder?: boolean;
  /** Seconds since 1970 UTC. */
  readonly timeStamp?: bigint;
}
export interface RequestItem {
  /** A number of {@link Operation}, or one that this library does not know. */
  readonly operation: number;
  readonly uniqueBatchItemId?: Uint8Array;
  readonly payload: readonly Item[];
}
export interface RequestMessage {
  readonly header: RequestHeader;
  readonly items: readonly RequestItem[];
}
export interface ResponseHeader {
  readonly version: ProtocolVersion;
  readonly timeStamp: bigint;
  readonly clientCorrelationValue?: string;
  readonly serverCorrelationValue?: string;
}
export interface ResponseItem {
  readonly operation?: number;
  readonly uniqueBatchItemId?: Uint8Array;
  readonly status: ResultStatus;
  /**
   * Present if and only if the status is Operation Failed. A newer server may send an unknown one.
   */
  readonly reason?: number;
  readonly message?: string;
  readonly payload?: readonly Item[];
}
export interface ResponseMessage {
  readonly header: ResponseHeader;
  readonly items: readonly ResponseItem[];
}

export function encodeRequest({ header, items }: RequestMessage): Buffer {
  return encodeItem(
    item.structure(Tag.RequestMessage, [
      item.structure(
        Tag.RequestHeader,
        present([
          versionItem(header.version),
          optional(item.integer, Tag.MaximumResponseSize, header.maximumResponseSize),
          optional(item.textString, Tag.ClientCorrelationValue, header.clientCorrelationValue),
          optional(item.textString, Tag.ServerCorrelationValue, header.serverCorrelationValue),
          optional(item.boolean, Tag.AsynchronousIndicator, header.asynchronousIndicator),
          optional(item.structure, Tag.Authentication, header.authentication),
          optional(
            item.enumeration,
            Tag.BatchErrorContinuationOption,
            header.batchErrorContinuation,
          ),
          optional(item.boolean, Tag.BatchOrderOption, header.batchOrder),
          optional(item.dateTime, Tag.TimeStamp, header.timeStamp),
          item.integer(Tag.BatchCount, items.length),
        ]),
      ),
      ...items.map(({ operation, uniqueBatchItemId, payload }) =>
        item.structure(
          Tag.BatchItem,
          present([
            item.enumeration(Tag.Operation, operation),
            optional(item.byteString, Tag.UniqueBatchItemId, uniqueBatchItemId),
            item.structure(Tag.RequestPayload, payload),
          ]),
        ),
      ),
    ]),
  );
}

/** @throws TtlvError on malformed bytes · KmipFailure(InvalidMessage) on a wrong structure */
export function decodeRequest(bytes: Uint8Array): RequestMessage {
  const message = fieldsOfMessage(bytes, Tag.RequestMessage);
  const fields = message.needFields(Tag.RequestHeader);
  const version = readVersion(fields.needFields(Tag.ProtocolVersion));
  const header = {
    version,
    ...given('maximumResponseSize', fields.take(Tag.MaximumResponseSize, 'integer')),
    ...given('clientCorrelationValue', fields.take(Tag.ClientCorrelationValue, 'textString')),
    ...given('serverCorrelationValue', fields.take(Tag.ServerCorrelationValue, 'textString')),
    ...given('asynchronousIndicator', fields.take(Tag.AsynchronousIndicator, 'boolean')),
  };
  // Attestation is optional in the standard and not offered: what a client says of it is passed by.
  fields.take(Tag.AttestationCapableIndicator, 'boolean');
  fields.many(Tag.AttestationType, 'enumeration');
  const rest = {
    ...given('authentication', fields.take(Tag.Authentication, 'structure')),
    ...given(
      'batchErrorContinuation',
      fields.takeEnum(Tag.BatchErrorContinuationOption, BatchErrorContinuation),
    ),
    ...given('batchOrder', fields.take(Tag.BatchOrderOption, 'boolean')),
    ...given('timeStamp', fields.take(Tag.TimeStamp, 'dateTime')),
  };
  const count = fields.need(Tag.BatchCount, 'integer');
  fields.end();
  const items = readItems(message, count, (batch) => {
    const operation = batch.need(Tag.Operation, 'enumeration');
    const id = batch.take(Tag.UniqueBatchItemId, 'byteString');
    const payload = batch.need(Tag.RequestPayload, 'structure');
    refuseCriticalExtension(batch);
    batch.end();
    return { operation, ...given('uniqueBatchItemId', id), payload };
  });
  return { header: { ...header, ...rest }, items };
}

export function encodeResponse({ header, items }: ResponseMessage): Buffer {
  return encodeItem(
    item.structure(Tag.ResponseMessage, [
      item.structure(
        Tag.ResponseHeader,
        present([
          versionItem(header.version),
          item.dateTime(Tag.TimeStamp, header.timeStamp),
          optional(item.textString, Tag.ClientCorrelationValue, header.clientCorrelationValue),
          optional(item.textString, Tag.ServerCorrelationValue, header.serverCorrelationValue),
          item.integer(Tag.BatchCount, items.length),
        ]),
      ),
      ...items.map((entry) =>
        item.structure(
          Tag.BatchItem,
          present([
            optional(item.enumeration, Tag.Operation, entry.operation),
            optional(item.byteString, Tag.UniqueBatchItemId, entry.uniqueBatchItemId),
            item.enumeration(Tag.ResultStatus, entry.status),
            optional(item.enumeration, Tag.ResultReason, entry.reason),
            optional(item.textString, Tag.ResultMessage, entry.message),
            optional(item.structure, Tag.ResponsePayload, entry.payload),
          ]),
        ),
      ),
    ]),
  );
}

/** @throws TtlvError on malformed bytes · KmipFailure(InvalidMessage) on a wrong structure */
export function decodeResponse(bytes: Uint8Array): ResponseMessage {
  const message = fieldsOfMessage(bytes, Tag.ResponseMessage);
  const fields = message.needFields(Tag.ResponseHeader);
  const version = readVersion(fields.needFields(Tag.ProtocolVersion));
  const timeStamp = fields.need(Tag.TimeStamp, 'dateTime');
  fields.take(Tag.Nonce, 'structure');
  fields.many(Tag.AttestationType, 'enumeration');
  const client = fields.take(Tag.ClientCorrelationValue, 'textString');
  const server = fields.take(Tag.ServerCorrelationValue, 'textString');
  const count = fields.need(Tag.BatchCount, 'integer');
  fields.end();
  const items = readItems(message, count, (batch) => {
    const operation = batch.take(Tag.Operation, 'enumeration');
    const id = batch.take(Tag.UniqueBatchItemId, 'byteString');
    const status = batch.needEnum(Tag.ResultStatus, ResultStatus);
    const reason = batch.take(Tag.ResultReason, 'enumeration');
    const text = batch.take(Tag.ResultMessage, 'textString');
    batch.take(Tag.AsynchronousCorrelationValue, 'byteString');
    const payload = batch.take(Tag.ResponsePayload, 'structure');
    refuseCriticalExtension(batch);
    batch.end();
    if ((status === ResultStatus.OperationFailed) !== (reason !== null))
      throw malformed('a Result Reason belongs to a failure and only to it');
    return {
      ...given('operation', operation),
      ...given('uniqueBatchItemId', id),
      status,
      ...given('reason', reason),
      ...given('message', text),
      ...given('payload', payload),
    };
  });
  const correlation = {
    ...given('clientCorrelationValue', client),
    ...given('serverCorrelationValue', server),
  };
  return { header: { version, timeStamp, ...correlation }, items };
}

export const versionItem = ({ major, minor }: ProtocolVersion): Item =>
  item.structure(Tag.ProtocolVersion, [
    item.integer(Tag.ProtocolVersionMajor, major),
    item.integer(Tag.ProtocolVersionMinor, minor),
  ]);

/** @throws KmipFailure */
export function readVersion(fields: Fields): ProtocolVersion {
  const major = fields.need(Tag.ProtocolVersionMajor, 'integer');
  const minor = fields.need(Tag.ProtocolVersionMinor, 'integer');
  fields.end();
  return { major, minor };
}

const malformed = (detail: string): KmipFailure =>
  new KmipFailure(ResultReason.InvalidMessage, detail);

/** A member that is left out when absent (exactOptionalPropertyTypes). */
function given<K extends string, V>(name: K, value: V | null): { readonly [P in K]?: V } {
  return value === null ? {} : ({ [name]: value } as { readonly [P in K]?: V });
}

function fieldsOfMessage(bytes: Uint8Array, tag: number): Fields {
  const message = decodeItem(bytes);
  if (message.tag !== tag) throw new TtlvError('wrong_tag', 0, 'not the expected message');
  return Fields.of(message, ResultReason.InvalidMessage);
}

function readItems<T>(message: Fields, count: number, read: (batch: Fields) => T): T[] {
  if (count < 1 || count > LIMITS.kmipBatchItemsMax)
    throw malformed(`a batch has 1 to ${LIMITS.kmipBatchItemsMax} items`);
  const items: T[] = [];
  for (let index = 0; index < count; index++) items.push(read(message.needFields(Tag.BatchItem)));
  message.end();
  return items;
}

/** §6.16: an extension may be passed by unless it is marked critical. */
function refuseCriticalExtension(batch: Fields): void {
  const extension = batch.takeFields(Tag.MessageExtension);
  if (extension === null) return;
  extension.need(Tag.VendorIdentification, 'textString');
  if (extension.need(Tag.CriticalityIndicator, 'boolean'))
    throw new KmipFailure(ResultReason.FeatureNotSupported, 'unknown critical extension');
}
