import type { DocKey } from '@kcm/read-models';

/** `a/b/c`; no part holds a slash. */
export const docKey = (...parts: readonly (string | number)[]): DocKey => parts.join('/') as DocKey;

/** The two parts of a key `owner/id`. */
export function ownerAndId(key: DocKey): { readonly owner: string; readonly id: string } {
  const slash = key.indexOf('/');
  return { owner: key.slice(0, slash), id: key.slice(slash + 1) };
}
