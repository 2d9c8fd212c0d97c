import { attributeItem, readAttributes, type Attribute } from './attributes.js';
import {
  BlockCipherMode,
  CryptographicAlgorithm,
  EncodingOption,
  KeyFormatType,
  ResultReason,
  WrappingMethod,
} from './enums.js';
import { KmipFailure } from './errors.js';
import { Fields } from './fields.js';
import { Tag } from './tags.js';
import { item, optional, present, type Item } from './ttlv.js';

/** Key material in the clear with what is bound to it (KMIP 1.4 §2.1.4). */
export interface PlainKeyValue {
  readonly material: Uint8Array;
  readonly attributes: readonly Attribute[];
}
/** Which key wraps, and how (§2.1.5). */
export interface EncryptionKeyInformation {
  readonly uniqueIdentifier: string;
  readonly blockCipherMode?: BlockCipherMode;
}
export interface KeyWrappingData {
  readonly method: WrappingMethod;
  readonly encryptionKey?: EncryptionKeyInformation;
  /** Absent: TTLV Encoding, i.e. the encoded Key Value structure is what was wrapped. */
  readonly encodingOption?: EncodingOption;
}
/** §2.1.6 */
export interface KeyWrappingSpecification extends KeyWrappingData {
  /** Attributes to put inside the wrap. */
  readonly attributeNames: readonly string[];
}
/** A key object's block (§2.1.3): in the clear, or wrapped as a byte string. */
export interface KeyBlock {
  readonly format: KeyFormatType;
  readonly value: PlainKeyValue | { readonly wrapped: Uint8Array; readonly data: KeyWrappingData };
  readonly algorithm?: CryptographicAlgorithm;
  /** Bits. */
  readonly length?: number;
}

/** The Key Value structure whose encoding is wrapped under the default Encoding Option. */
export const keyValueItem = ({ material, attributes }: PlainKeyValue): Item =>
  item.structure(Tag.KeyValue, [
    item.byteString(Tag.KeyMaterial, material),
    ...attributes.map(attributeItem),
  ]);

/** The reverse of {@link keyValueItem}. @throws KmipFailure */
export function readKeyValue(value: Item): PlainKeyValue {
  if (value.tag !== Tag.KeyValue)
    throw new KmipFailure(ResultReason.InvalidField, 'not a Key Value structure');
  const fields = Fields.of(value);
  const material = fields.need(Tag.KeyMaterial, 'byteString');
  const attributes = readAttributes(fields);
  fields.end();
  return { material, attributes };
}

export function keyBlockItem({ format, value, algorithm, length }: KeyBlock): Item {
  const wrapped = 'wrapped' in value;
  return item.structure(
    Tag.KeyBlock,
    present([
      item.enumeration(Tag.KeyFormatType, format),
      wrapped ? item.byteString(Tag.KeyValue, value.wrapped) : keyValueItem(value),
      optional(item.enumeration, Tag.CryptographicAlgorithm, algorithm),
      optional(item.integer, Tag.CryptographicLength, length),
      wrapped ? wrappingItem(Tag.KeyWrappingData, value.data) : null,
    ]),
  );
}

/** @throws KmipFailure */
export function readKeyBlock(fields: Fields): KeyBlock {
  const format = fields.takeEnum(Tag.KeyFormatType, KeyFormatType);
  if (format === null)
    throw new KmipFailure(ResultReason.MissingData, 'Key Format Type is missing');
  if (fields.take(Tag.KeyCompressionType, 'enumeration') !== null)
    throw new KmipFailure(ResultReason.KeyCompressionTypeNotSupported, 'no key compression');
  const value = fields.takeItem(Tag.KeyValue);
  if (value === null)
    throw new KmipFailure(ResultReason.KeyValueNotPresent, 'the Key Value is missing');
  const algorithm = fields.takeEnum(Tag.CryptographicAlgorithm, CryptographicAlgorithm);
  const length = fields.take(Tag.CryptographicLength, 'integer');
  const wrapping = fields.takeFields(Tag.KeyWrappingData);
  fields.end();
  const common = {
    format,
    ...(algorithm === null ? {} : { algorithm }),
    ...(length === null ? {} : { length }),
  };
  if (wrapping === null) return { ...common, value: readKeyValue(value) };
  if (value.type !== 'byteString')
    throw new KmipFailure(ResultReason.InvalidField, 'a wrapped Key Value is a byte string');
  return { ...common, value: { wrapped: value.value, data: readWrapping(wrapping).data } };
}

export const keyWrappingSpecificationItem = (specification: KeyWrappingSpecification): Item =>
  wrappingItem(Tag.KeyWrappingSpecification, specification, specification.attributeNames);

/** @throws KmipFailure */
export function readKeyWrappingSpecification(fields: Fields): KeyWrappingSpecification {
  const { data, attributeNames } = readWrapping(fields);
  return { ...data, attributeNames };
}

function wrappingItem(
  tag: number,
  { method, encryptionKey, encodingOption }: KeyWrappingData,
  attributeNames: readonly string[] = [],
): Item {
  return item.structure(
    tag,
    present([
      item.enumeration(Tag.WrappingMethod, method),
      encryptionKey === undefined ? null : encryptionKeyItem(encryptionKey),
      ...attributeNames.map((name) => item.textString(Tag.AttributeName, name)),
      optional(item.enumeration, Tag.EncodingOption, encodingOption),
    ]),
  );
}

function encryptionKeyItem({ uniqueIdentifier, blockCipherMode }: EncryptionKeyInformation): Item {
  return item.structure(
    Tag.EncryptionKeyInformation,
    present([
      item.textString(Tag.UniqueIdentifier, uniqueIdentifier),
      blockCipherMode === undefined
        ? null
        : item.structure(Tag.CryptographicParameters, [
            item.enumeration(Tag.BlockCipherMode, blockCipherMode),
          ]),
    ]),
  );
}

function readWrapping(fields: Fields): { data: KeyWrappingData; attributeNames: string[] } {
  const method = fields.needEnum(Tag.WrappingMethod, WrappingMethod);
  const key = fields.takeFields(Tag.EncryptionKeyInformation);
  if (fields.takeItem(Tag.MacSignatureKeyInformation) !== null)
    throw new KmipFailure(ResultReason.FeatureNotSupported, 'MAC or signature wrapping');
  const attributeNames = fields.many(Tag.AttributeName, 'textString');
  const encodingOption = fields.takeEnum(Tag.EncodingOption, EncodingOption);
  fields.end();
  return {
    data: {
      method,
      ...(key === null ? {} : { encryptionKey: readEncryptionKey(key) }),
      ...(encodingOption === null ? {} : { encodingOption }),
    },
    attributeNames,
  };
}

function readEncryptionKey(fields: Fields): EncryptionKeyInformation {
  const uniqueIdentifier = fields.need(Tag.UniqueIdentifier, 'textString');
  const parameters = fields.takeFields(Tag.CryptographicParameters);
  fields.end();
  const blockCipherMode = parameters?.takeEnum(Tag.BlockCipherMode, BlockCipherMode) ?? null;
  parameters?.end();
  return { uniqueIdentifier, ...(blockCipherMode === null ? {} : { blockCipherMode }) };
}
