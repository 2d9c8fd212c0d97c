import type { DocKey } from '@kcm/read-models';

/** `a/b/c`; no part holds a slash. */
export const docKey = (...parts: readonly (string | number)[]): DocKey => parts.join('/') as DocKey;
