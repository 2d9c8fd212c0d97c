import type { Attribute } from '../attributes.js';
import { attributeItem, readAttribute, readAttributes } from '../attributes.js';
import { ObjectType, ResultReason } from '../enums.js';
import { KmipFailure } from '../errors.js';
import type { Fields } from '../fields.js';
import { keyBlockItem, readKeyBlock } from '../key-block.js';
import { Tag } from '../tags.js';
import { item, optional, type Item } from '../ttlv.js';
import type { Identified, SymmetricKey, Target } from './types.js';

export const targetItem = ({ uniqueIdentifier }: Target): Item | null =>
  optional(item.textString, Tag.UniqueIdentifier, uniqueIdentifier);

export function readTarget(fields: Fields): Target {
  const uniqueIdentifier = fields.take(Tag.UniqueIdentifier, 'textString');
  return uniqueIdentifier === null ? {} : { uniqueIdentifier };
}

export const identifiedItem = ({ uniqueIdentifier }: Identified): Item =>
  item.textString(Tag.UniqueIdentifier, uniqueIdentifier);

export const readIdentified = (fields: Fields): Identified => ({
  uniqueIdentifier: fields.need(Tag.UniqueIdentifier, 'textString'),
});

/** Reads with `read` and refuses what is left over. */
export function whole<T>(fields: Fields, read: (fields: Fields) => T): T {
  const value = read(fields);
  fields.end();
  return value;
}

export function needAttribute(fields: Fields): Attribute {
  return readAttribute(fields.needFields(Tag.Attribute));
}

/** Unix seconds of a Date-Time. @throws KmipFailure beyond the exact integers of a number */
export function seconds(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new KmipFailure(ResultReason.InvalidField, 'a date out of range');
  return number;
}

/** §2.1.8: in requests and answers attributes of a new object stand in a Template-Attribute. */
export const templateItem = (attributes: readonly Attribute[]): Item =>
  item.structure(Tag.TemplateAttribute, attributes.map(attributeItem));

export function readTemplate(fields: Fields): Attribute[] {
  if (fields.takeItem(Tag.Name) !== null)
    throw new KmipFailure(ResultReason.FeatureNotSupported, 'templates are not supported');
  return whole(fields, readAttributes);
}

export const objectTypeItem = (object: SymmetricKey): Item =>
  item.enumeration(Tag.ObjectType, object.objectType);

export const objectItem = (object: SymmetricKey): Item =>
  item.structure(Tag.SymmetricKey, [keyBlockItem(object.keyBlock)]);

export function readObjectType(fields: Fields): SymmetricKey['objectType'] {
  const type = fields.needEnum(Tag.ObjectType, ObjectType);
  if (type !== ObjectType.SymmetricKey)
    throw new KmipFailure(ResultReason.InvalidField, 'this object type is not supported');
  return type;
}

export function readObject(fields: Fields, objectType: SymmetricKey['objectType']): SymmetricKey {
  const key = fields.needFields(Tag.SymmetricKey);
  const keyBlock = readKeyBlock(key.needFields(Tag.KeyBlock));
  key.end();
  return { objectType, keyBlock };
}
