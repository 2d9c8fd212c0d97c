import type { Projection } from '@kcm/read-models';

export type Indexes = Projection<unknown>['indexes'];

const NAME = /^[a-z0-9][a-z0-9.-]{0,79}$/;
const FIELD = /^[A-Za-z][A-Za-z0-9]{0,63}$/;

/** @throws RangeError: names become names of tables and collections */
export function checkedName(name: string): string {
  if (!NAME.test(name)) throw new RangeError(`not a read model's name: ${name}`);
  return name;
}

/** @throws RangeError: fields become part of an expression or a path */
export function checkedField(field: string): string {
  if (!FIELD.test(field)) throw new RangeError(`not a field's name: ${field}`);
  return field;
}

/** The check of a query's fields. @throws RangeError for a field that no index names */
export function indexedField(name: string, indexes: Indexes): (field: string) => string {
  const indexed = new Set(indexes.flatMap(({ fields }) => fields));
  return (field) => {
    if (!indexed.has(field)) throw new RangeError(`${name} has no index on ${field}`);
    return checkedField(field);
  };
}
