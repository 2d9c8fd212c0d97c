import { attributeItem, readAttributes } from '../attributes.js';
import { KeyFormatType, KeyWrapType, ResultReason, RevocationReasonCode } from '../enums.js';
import { KmipFailure } from '../errors.js';
import type { Fields } from '../fields.js';
import { keyWrappingSpecificationItem, readKeyWrappingSpecification } from '../key-block.js';
import { Tag } from '../tags.js';
import { item, optional, present } from '../ttlv.js';
import {
  identifiedItem,
  objectItem,
  objectTypeItem,
  readIdentified,
  readObject,
  readObjectType,
  readTarget,
  readTemplate,
  seconds,
  targetItem,
  templateItem,
  whole,
} from './common.js';
import type { PayloadCodec, PayloadCodecs } from './types.js';

/** Operations that take an identifier and answer it. */
const identifierOnly: PayloadCodec<'Activate'> & PayloadCodec<'Destroy'> = {
  encodeRequest: (payload) => present([targetItem(payload)]),
  decodeRequest: (fields) => whole(fields, readTarget),
  encodeResponse: (payload) => [identifiedItem(payload)],
  decodeResponse: (fields) => whole(fields, readIdentified),
};

function readRevocationReason(fields: Fields): {
  code: RevocationReasonCode;
  message?: string;
} {
  const code = fields.needEnum(Tag.RevocationReasonCode, RevocationReasonCode);
  const message = fields.take(Tag.RevocationMessage, 'textString');
  fields.end();
  return { code, ...(message === null ? {} : { message }) };
}

/** §4.3 Register, §4.9 Locate, §4.11 Get, §4.19 Activate, §4.20 Revoke, §4.21 Destroy. */
export const objectCodecs: Pick<
  PayloadCodecs,
  'Register' | 'Locate' | 'Get' | 'Activate' | 'Revoke' | 'Destroy'
> = {
  Register: {
    encodeRequest: ({ attributes, object }) => [
      objectTypeItem(object),
      templateItem(attributes),
      objectItem(object),
    ],
    decodeRequest: (fields) =>
      whole(fields, () => {
        const objectType = readObjectType(fields);
        const attributes = readTemplate(fields.needFields(Tag.TemplateAttribute));
        return { attributes, object: readObject(fields, objectType) };
      }),
    encodeResponse: (payload) => [identifiedItem(payload)],
    decodeResponse: (fields) =>
      whole(fields, () => {
        const identified = readIdentified(fields);
        fields.takeItem(Tag.TemplateAttribute);
        return identified;
      }),
  },
  Locate: {
    encodeRequest: ({ maximumItems, offsetItems, storageStatusMask, attributes }) =>
      present([
        optional(item.integer, Tag.MaximumItems, maximumItems),
        optional(item.integer, Tag.OffsetItems, offsetItems),
        optional(item.integer, Tag.StorageStatusMask, storageStatusMask),
        ...attributes.map(attributeItem),
      ]),
    decodeRequest: (fields) =>
      whole(fields, () => {
        const maximumItems = fields.take(Tag.MaximumItems, 'integer');
        const offsetItems = fields.take(Tag.OffsetItems, 'integer');
        const storageStatusMask = fields.take(Tag.StorageStatusMask, 'integer');
        if (fields.take(Tag.ObjectGroupMember, 'enumeration') !== null)
          throw new KmipFailure(ResultReason.FeatureNotSupported, 'Object Group Member');
        return {
          ...(maximumItems === null ? {} : { maximumItems }),
          ...(offsetItems === null ? {} : { offsetItems }),
          ...(storageStatusMask === null ? {} : { storageStatusMask }),
          attributes: readAttributes(fields),
        };
      }),
    encodeResponse: ({ locatedItems, uniqueIdentifiers }) =>
      present([
        optional(item.integer, Tag.LocatedItems, locatedItems),
        ...uniqueIdentifiers.map((uid) => item.textString(Tag.UniqueIdentifier, uid)),
      ]),
    decodeResponse: (fields) =>
      whole(fields, () => {
        const locatedItems = fields.take(Tag.LocatedItems, 'integer');
        return {
          ...(locatedItems === null ? {} : { locatedItems }),
          uniqueIdentifiers: fields.many(Tag.UniqueIdentifier, 'textString'),
        };
      }),
  },
  Get: {
    encodeRequest: (payload) =>
      present([
        targetItem(payload),
        optional(item.enumeration, Tag.KeyFormatType, payload.keyFormatType),
        optional(item.enumeration, Tag.KeyWrapType, payload.keyWrapType),
        payload.keyWrappingSpecification === undefined
          ? null
          : keyWrappingSpecificationItem(payload.keyWrappingSpecification),
      ]),
    decodeRequest: (fields) =>
      whole(fields, () => {
        const target = readTarget(fields);
        const keyFormatType = fields.takeEnum(Tag.KeyFormatType, KeyFormatType);
        const keyWrapType = fields.takeEnum(Tag.KeyWrapType, KeyWrapType);
        if (fields.take(Tag.KeyCompressionType, 'enumeration') !== null)
          throw new KmipFailure(ResultReason.KeyCompressionTypeNotSupported, 'no key compression');
        const wrapping = fields.takeFields(Tag.KeyWrappingSpecification);
        return {
          ...target,
          ...(keyFormatType === null ? {} : { keyFormatType }),
          ...(keyWrapType === null ? {} : { keyWrapType }),
          ...(wrapping === null
            ? {}
            : { keyWrappingSpecification: readKeyWrappingSpecification(wrapping) }),
        };
      }),
    encodeResponse: (payload) => [
      objectTypeItem(payload.object),
      identifiedItem(payload),
      objectItem(payload.object),
    ],
    decodeResponse: (fields) =>
      whole(fields, () => {
        const objectType = readObjectType(fields);
        return { ...readIdentified(fields), object: readObject(fields, objectType) };
      }),
  },
  Activate: identifierOnly,
  Destroy: identifierOnly,
  Revoke: {
    encodeRequest: (payload) =>
      present([
        targetItem(payload),
        item.structure(
          Tag.RevocationReason,
          present([
            item.enumeration(Tag.RevocationReasonCode, payload.reason.code),
            optional(item.textString, Tag.RevocationMessage, payload.reason.message),
          ]),
        ),
        payload.compromiseOccurrenceDate === undefined
          ? null
          : item.dateTime(Tag.CompromiseOccurrenceDate, BigInt(payload.compromiseOccurrenceDate)),
      ]),
    decodeRequest: (fields) =>
      whole(fields, () => {
        const target = readTarget(fields);
        const reason = readRevocationReason(fields.needFields(Tag.RevocationReason));
        const date = fields.take(Tag.CompromiseOccurrenceDate, 'dateTime');
        return {
          ...target,
          reason,
          ...(date === null ? {} : { compromiseOccurrenceDate: seconds(date) }),
        };
      }),
    encodeResponse: (payload) => [identifiedItem(payload)],
    decodeResponse: (fields) => whole(fields, readIdentified),
  },
};
