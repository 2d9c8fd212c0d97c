import { isValueOf, ResultReason } from './enums.js';
import { KmipFailure } from './errors.js';
import { tagName } from './tags.js';
import type { Item, ItemType, ValueByType } from './ttlv.js';

/**
 * Reads the fields of one structure in the order of the standard (KMIP 1.4 §9.1.1.4: "fields SHALL
 * appear in the order specified"). What is missing, of another type or left over is refused.
 * @throws KmipFailure (every method)
 */
export class Fields {
  #next = 0;

  constructor(
    private readonly items: readonly Item[],
    private readonly where: string,
    private readonly malformed: ResultReason = ResultReason.InvalidField,
  ) {}

  /** Fields of an item that must be a structure. */
  static of(item: Item, malformed: ResultReason = ResultReason.InvalidField): Fields {
    if (item.type !== 'structure')
      throw new KmipFailure(malformed, `${tagName(item.tag)} must be a structure`);
    return new Fields(item.value, tagName(item.tag), malformed);
  }

  /** The next field if it has this tag, else null. */
  take<T extends ItemType>(tag: number, type: T): ValueByType[T] | null {
    const item = this.items[this.#next];
    if (item === undefined || item.tag !== tag) return null;
    if (item.type !== type)
      throw new KmipFailure(this.malformed, `${this.where}: ${tagName(tag)} must be ${type}`);
    this.#next++;
    return item.value as ValueByType[T];
  }

  need<T extends ItemType>(tag: number, type: T): ValueByType[T] {
    const value = this.take(tag, type);
    if (value === null) throw this.missing(tag);
    return value;
  }

  many<T extends ItemType>(tag: number, type: T): ValueByType[T][] {
    const values: ValueByType[T][] = [];
    for (let value = this.take(tag, type); value !== null; value = this.take(tag, type))
      values.push(value);
    return values;
  }

  /** The next field as an enumeration whose value the table knows, else null when absent. */
  takeEnum<T extends Record<string, number>>(tag: number, table: T): T[keyof T] | null {
    const value = this.take(tag, 'enumeration');
    if (value === null) return null;
    if (!isValueOf(table, value))
      throw new KmipFailure(this.malformed, `${this.where}: unknown value of ${tagName(tag)}`);
    return value;
  }

  needEnum<T extends Record<string, number>>(tag: number, table: T): T[keyof T] {
    const value = this.takeEnum(tag, table);
    if (value === null) throw this.missing(tag);
    return value;
  }

  /** The next field as fields, if it is a structure with this tag. */
  takeFields(tag: number): Fields | null {
    const value = this.take(tag, 'structure');
    return value === null ? null : new Fields(value, tagName(tag), this.malformed);
  }

  needFields(tag: number): Fields {
    const fields = this.takeFields(tag);
    if (fields === null) throw this.missing(tag);
    return fields;
  }

  /** The next field whatever its type, if it has this tag. */
  takeItem(tag: number): Item | null {
    const item = this.items[this.#next];
    if (item === undefined || item.tag !== tag) return null;
    this.#next++;
    return item;
  }

  /** Nothing may follow. */
  end(): void {
    const item = this.items[this.#next];
    if (item !== undefined)
      throw new KmipFailure(
        this.malformed,
        `${this.where}: ${tagName(item.tag)} is not expected here`,
      );
  }

  private missing(tag: number): KmipFailure {
    const reason =
      this.malformed === ResultReason.InvalidField ? ResultReason.MissingData : this.malformed;
    return new KmipFailure(reason, `${this.where}: ${tagName(tag)} is missing`);
  }
}
