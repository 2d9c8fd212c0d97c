import { NameType, ResultReason } from './enums.js';
import { KmipFailure } from './errors.js';
import { Fields } from './fields.js';
import { Tag } from './tags.js';
import { item, optional, present, type Item, type TypedValue } from './ttlv.js';

/** An attribute (KMIP 1.4 §2.1.1): custom ones are named `x-…` by clients and `y-…` by servers. */
export interface Attribute {
  readonly name: string;
  /** Absent means 0. */
  readonly index?: number;
  readonly value: TypedValue;
}

export const attribute = {
  text: (name: string, value: string): Attribute => ({
    name,
    value: { type: 'textString', value },
  }),
  integer: (name: string, value: number): Attribute => ({
    name,
    value: { type: 'integer', value },
  }),
  boolean: (name: string, value: boolean): Attribute => ({
    name,
    value: { type: 'boolean', value },
  }),
  long: (name: string, value: number | bigint): Attribute => ({
    name,
    value: { type: 'longInteger', value: BigInt(value) },
  }),
  enumeration: (name: string, value: number): Attribute => ({
    name,
    value: { type: 'enumeration', value },
  }),
  /** `seconds` since 1970 UTC. */
  date: (name: string, seconds: number): Attribute => ({
    name,
    value: { type: 'dateTime', value: BigInt(seconds) },
  }),
  interval: (name: string, seconds: number): Attribute => ({
    name,
    value: { type: 'interval', value: seconds },
  }),
  structure: (name: string, value: readonly Item[]): Attribute => ({
    name,
    value: { type: 'structure', value },
  }),
  /** The attribute "Name" as an uninterpreted text string (§3.2). */
  objectName: (value: string): Attribute =>
    attribute.structure('Name', [
      item.textString(Tag.NameValue, value),
      item.enumeration(Tag.NameType, NameType.UninterpretedTextString),
    ]),
  /** The attribute "Link" (§3.35). */
  link: (linkType: number, uniqueIdentifier: string): Attribute =>
    attribute.structure('Link', [
      item.enumeration(Tag.LinkType, linkType),
      item.textString(Tag.LinkedObjectIdentifier, uniqueIdentifier),
    ]),
} as const;

/** Named access to a list of attributes; null when absent or of another type. */
export class Attributes {
  constructor(readonly list: readonly Attribute[]) {}

  value(name: string): TypedValue | null {
    return this.list.find((entry) => entry.name === name)?.value ?? null;
  }

  text(name: string): string | null {
    const value = this.value(name);
    return value?.type === 'textString' ? value.value : null;
  }

  /** Integer, Long Integer, Enumeration, Interval or Date-Time as a number; null if unsafe. */
  number(name: string): number | null {
    const value = this.value(name);
    switch (value?.type) {
      case 'integer':
      case 'enumeration':
      case 'interval':
        return value.value;
      case 'longInteger':
      case 'dateTime': {
        const number = Number(value.value);
        return Number.isSafeInteger(number) ? number : null;
      }
      default:
        return null;
    }
  }

  /** Name Value of the attribute "Name". */
  objectName(): string | null {
    return childText(this.value('Name'), Tag.NameValue);
  }

  /** Linked Object Identifier of the "Link" attribute of this type. */
  link(linkType: number): string | null {
    const found = this.list.find(
      (entry) =>
        entry.name === 'Link' &&
        entry.value.type === 'structure' &&
        entry.value.value.some((field) => field.tag === Tag.LinkType && field.value === linkType),
    );
    return childText(found?.value ?? null, Tag.LinkedObjectIdentifier);
  }
}

function childText(value: TypedValue | null, tag: number): string | null {
  if (value?.type !== 'structure') return null;
  const child = value.value.find((field) => field.tag === tag);
  return child?.type === 'textString' ? child.value : null;
}

export function attributeItem({ name, index, value }: Attribute): Item {
  return item.structure(
    Tag.Attribute,
    present([
      item.textString(Tag.AttributeName, name),
      optional(item.integer, Tag.AttributeIndex, index),
      { tag: Tag.AttributeValue, ...value },
    ]),
  );
}

/** @throws KmipFailure */
export function readAttribute(fields: Fields): Attribute {
  const name = fields.need(Tag.AttributeName, 'textString');
  const index = fields.take(Tag.AttributeIndex, 'integer');
  const value = fields.takeItem(Tag.AttributeValue);
  if (value === null)
    throw new KmipFailure(ResultReason.MissingData, `attribute ${name} has no value`);
  fields.end();
  const { tag: _tag, ...typed } = value;
  return { name, value: typed, ...(index === null ? {} : { index }) };
}

/** Every Attribute structure that follows. @throws KmipFailure */
export function readAttributes(fields: Fields, tag: number = Tag.Attribute): Attribute[] {
  const list: Attribute[] = [];
  for (let next = fields.takeFields(tag); next !== null; next = fields.takeFields(tag))
    list.push(readAttribute(next));
  return list;
}
