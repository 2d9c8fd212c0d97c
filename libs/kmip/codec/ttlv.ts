/** Item types of KMIP 1.4 §9.1.1.2 and their codes. */
export const ITEM_TYPES = {
  structure: 0x01,
  integer: 0x02,
  longInteger: 0x03,
  bigInteger: 0x04,
  enumeration: 0x05,
  boolean: 0x06,
  textString: 0x07,
  byteString: 0x08,
  dateTime: 0x09,
  interval: 0x0a,
} as const;
export type ItemType = keyof typeof ITEM_TYPES;

/** What each type holds. Date-Time: seconds since 1970 UTC. Interval: seconds, 0…2^32−1. */
export interface ValueByType {
  readonly structure: readonly Item[];
  readonly integer: number;
  readonly longInteger: bigint;
  readonly bigInteger: bigint;
  readonly enumeration: number;
  readonly boolean: boolean;
  readonly textString: string;
  readonly byteString: Uint8Array;
  readonly dateTime: bigint;
  readonly interval: number;
}

/** A type with its value, without a tag: the value of an attribute, for instance. */
export type TypedValue = {
  [T in ItemType]: { readonly type: T; readonly value: ValueByType[T] };
}[ItemType];

/** One TTLV item. */
export type Item = TypedValue & { readonly tag: number };

/** Constructors: `item.integer(Tag.BatchCount, 1)`. Ranges are checked when encoding. */
export const item = {
  structure: (tag: number, value: readonly Item[]): Item => ({ tag, type: 'structure', value }),
  integer: (tag: number, value: number): Item => ({ tag, type: 'integer', value }),
  longInteger: (tag: number, value: bigint): Item => ({ tag, type: 'longInteger', value }),
  bigInteger: (tag: number, value: bigint): Item => ({ tag, type: 'bigInteger', value }),
  enumeration: (tag: number, value: number): Item => ({ tag, type: 'enumeration', value }),
  boolean: (tag: number, value: boolean): Item => ({ tag, type: 'boolean', value }),
  textString: (tag: number, value: string): Item => ({ tag, type: 'textString', value }),
  byteString: (tag: number, value: Uint8Array): Item => ({ tag, type: 'byteString', value }),
  dateTime: (tag: number, value: bigint): Item => ({ tag, type: 'dateTime', value }),
  interval: (tag: number, value: number): Item => ({ tag, type: 'interval', value }),
} as const;

/** Leaves out what is undefined or null: optional fields in a list of items. */
export const present = (items: readonly (Item | null | undefined)[]): Item[] =>
  items.filter((entry): entry is Item => entry !== null && entry !== undefined);

/** An optional field: the constructor applied, unless the value is absent. */
export const optional = <V>(
  make: (tag: number, value: V) => Item,
  tag: number,
  value: V | null | undefined,
): Item | null => (value === null || value === undefined ? null : make(tag, value));
