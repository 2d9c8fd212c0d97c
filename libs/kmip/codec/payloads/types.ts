import type { Attribute } from '../attributes.js';
import type {
  KeyFormatType,
  KeyWrapType,
  ObjectType,
  QueryFunction,
  RevocationReasonCode,
} from '../enums.js';
import type { Fields } from '../fields.js';
import type { KeyBlock, KeyWrappingSpecification } from '../key-block.js';
import type { ProtocolVersion } from '../message.js';
import type { Item } from '../ttlv.js';

/** Absent: the ID Placeholder of the batch (KMIP 1.4 §4). */
export interface Target {
  readonly uniqueIdentifier?: string;
}
export interface Identified {
  readonly uniqueIdentifier: string;
}
/** The only object that this library carries so far; others are refused by their type. */
export interface SymmetricKey {
  readonly objectType: typeof ObjectType.SymmetricKey;
  readonly keyBlock: KeyBlock;
}
export interface Capabilities {
  readonly streaming: boolean;
  readonly asynchronous: boolean;
  readonly attestation: boolean;
  readonly batchUndo: boolean;
  readonly batchContinue: boolean;
}

/** What each operation asks and answers (KMIP 1.4 §4 and §5). */
export interface Payloads {
  readonly DiscoverVersions: {
    readonly request: { readonly versions: readonly ProtocolVersion[] };
    readonly response: { readonly versions: readonly ProtocolVersion[] };
  };
  readonly Query: {
    readonly request: { readonly functions: readonly QueryFunction[] };
    readonly response: {
      readonly operations?: readonly number[];
      readonly objectTypes?: readonly number[];
      readonly vendorIdentification?: string;
      /** Vendor-specific fields. */
      readonly serverInformation?: readonly Item[];
      readonly capabilities?: Capabilities;
    };
  };
  readonly Register: {
    readonly request: {
      readonly attributes: readonly Attribute[];
      readonly object: SymmetricKey;
    };
    readonly response: Identified;
  };
  readonly Locate: {
    readonly request: {
      readonly maximumItems?: number;
      readonly offsetItems?: number;
      readonly storageStatusMask?: number;
      readonly attributes: readonly Attribute[];
    };
    readonly response: {
      readonly locatedItems?: number;
      readonly uniqueIdentifiers: readonly string[];
    };
  };
  readonly ObtainLease: {
    readonly request: Target;
    /** Lease Time in seconds: 0 means unlimited in the standard. Last Change Date: Unix seconds. */
    readonly response: Identified & { readonly leaseTime: number; readonly lastChangeDate: number };
  };
  readonly GetUsageAllocation: {
    readonly request: Target & { readonly count: bigint };
    readonly response: Identified;
  };
  readonly GetAttributes: {
    /** No name: every attribute. */
    readonly request: Target & { readonly attributeNames: readonly string[] };
    readonly response: Identified & { readonly attributes: readonly Attribute[] };
  };
  readonly GetAttributeList: {
    readonly request: Target;
    readonly response: Identified & { readonly attributeNames: readonly string[] };
  };
  readonly Get: {
    readonly request: Target & {
      readonly keyFormatType?: KeyFormatType;
      readonly keyWrapType?: KeyWrapType;
      readonly keyWrappingSpecification?: KeyWrappingSpecification;
    };
    readonly response: Identified & { readonly object: SymmetricKey };
  };
  readonly AddAttribute: {
    readonly request: Target & { readonly attribute: Attribute };
    readonly response: Identified & { readonly attribute: Attribute };
  };
  readonly ModifyAttribute: {
    readonly request: Target & { readonly attribute: Attribute };
    readonly response: Identified & { readonly attribute: Attribute };
  };
  readonly Activate: { readonly request: Target; readonly response: Identified };
  readonly Revoke: {
    readonly request: Target & {
      readonly reason: { readonly code: RevocationReasonCode; readonly message?: string };
      /** Unix seconds. */
      readonly compromiseOccurrenceDate?: number;
    };
    readonly response: Identified;
  };
  readonly Destroy: { readonly request: Target; readonly response: Identified };
  /** Server to client (§5.1). */
  readonly Notify: {
    readonly request: Identified & { readonly attributes: readonly Attribute[] };
    readonly response: Record<string, never>;
  };
}
export type OperationName = keyof Payloads;
export type RequestOf<O extends OperationName> = Payloads[O]['request'];
export type ResponseOf<O extends OperationName> = Payloads[O]['response'];

/** Both directions of one operation's payload. */
export interface PayloadCodec<O extends OperationName> {
  encodeRequest(payload: RequestOf<O>): readonly Item[];
  /** @throws KmipFailure */
  decodeRequest(fields: Fields): RequestOf<O>;
  encodeResponse(payload: ResponseOf<O>): readonly Item[];
  /** @throws KmipFailure */
  decodeResponse(fields: Fields): ResponseOf<O>;
}
export type PayloadCodecs = { readonly [O in OperationName]: PayloadCodec<O> };
