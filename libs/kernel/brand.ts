export type Brand<T, B extends string> = T & { readonly __brand: B };
export type OneOrMore<T> = readonly [T, ...T[]];

/** Narrows a list to one that is known to hold at least one element; null when empty. */
export const oneOrMore = <T>(list: readonly T[]): OneOrMore<T> | null =>
  list.length === 0 ? null : (list as unknown as OneOrMore<T>);

/** Makes the build fail where a case of a union was forgotten. */
export function never(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
