import {
  attribute,
  Attributes,
  BlockCipherMode,
  CryptographicAlgorithm,
  decodeItem,
  encodeItem,
  KeyFormatType,
  keyValueItem,
  KmipFailure,
  ObjectType,
  readKeyValue,
  ResultReason,
  WrappingMethod,
  type Attribute,
  type KeyWrappingSpecification,
  type SymmetricKey,
} from '../codec/index.js';
import { KCM, WRAPPED_ATTRIBUTES } from './names.js';

/** Identity of a service key as it stands inside the wrap and as attributes. */
export interface KeyIdentity {
  readonly uid: string;
  readonly tenant: string;
  readonly version: number;
  readonly term: number;
  readonly epoch: number;
}

/** The only wrapping that Core does: AES-KW of the TTLV Key Value under the caller's KWK. */
export const leaseWrapping = (kwk: string): KeyWrappingSpecification => ({
  method: WrappingMethod.Encrypt,
  encryptionKey: { uniqueIdentifier: kwk, blockCipherMode: BlockCipherMode.NistKeyWrap },
  attributeNames: WRAPPED_ATTRIBUTES,
});

const identityAttributes = (identity: KeyIdentity): Attribute[] => [
  attribute.text('Unique Identifier', identity.uid),
  attribute.text('Object Group', identity.tenant),
  attribute.integer(KCM.version, identity.version),
  attribute.long(KCM.term, identity.term),
  attribute.long(KCM.epoch, identity.epoch),
];

/**
 * What is to be wrapped (KMIP 1.4 §2.1.4, TTLV Encoding): holds the key in the clear, so the caller
 * wraps it and overwrites it.
 */
export const wrappedKeyPlaintext = (identity: KeyIdentity, material: Uint8Array): Buffer =>
  encodeItem(keyValueItem({ material, attributes: identityAttributes(identity) }));

/**
 * The reverse, after unwrapping. `material` is a view into `plaintext`: copy it, then overwrite.
 * @throws KmipFailure when an attribute is missing or of another type
 */
export function readWrappedKeyPlaintext(plaintext: Uint8Array): {
  readonly identity: KeyIdentity;
  readonly material: Uint8Array;
} {
  const value = readKeyValue(decodeItem(plaintext));
  const attributes = new Attributes(value.attributes);
  const uid = attributes.text('Unique Identifier');
  const tenant = attributes.text('Object Group');
  const version = attributes.number(KCM.version);
  const term = attributes.number(KCM.term);
  const epoch = attributes.number(KCM.epoch);
  if (uid === null || tenant === null || version === null || term === null || epoch === null)
    throw new KmipFailure(ResultReason.InvalidField, 'the wrapped key lacks its identity');
  return { identity: { uid, tenant, version, term, epoch }, material: value.material };
}

/** AES-256 in the clear, as a KWK is registered. `material` is not copied. */
export const plainAesKey = (material: Uint8Array): SymmetricKey => ({
  objectType: ObjectType.SymmetricKey,
  keyBlock: {
    format: KeyFormatType.Raw,
    value: { material, attributes: [] },
    algorithm: CryptographicAlgorithm.Aes,
    length: material.length * 8,
  },
});

/** AES-256 wrapped, as Get answers it. */
export const wrappedAesKey = (wrapped: Uint8Array, kwk: string): SymmetricKey => ({
  objectType: ObjectType.SymmetricKey,
  keyBlock: {
    format: KeyFormatType.Raw,
    value: {
      wrapped,
      data: {
        method: WrappingMethod.Encrypt,
        encryptionKey: { uniqueIdentifier: kwk, blockCipherMode: BlockCipherMode.NistKeyWrap },
      },
    },
    algorithm: CryptographicAlgorithm.Aes,
    length: 256,
  },
});
