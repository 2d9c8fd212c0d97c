const KEY = /^[A-Za-z0-9._/-]{1,512}$/;

/**
 * Checks a blob's key: 1–512 bytes of [A-Za-z0-9._/-], no empty part between slashes.
 * @throws RangeError
 */
export function blobKey(key: string): string {
  if (!KEY.test(key) || key.split('/').includes(''))
    throw new RangeError(`not a blob key: ${JSON.stringify(key.slice(0, 80))}`);
  return key;
}

/** Half-open range of the keys strictly under a path: `0` is what follows `/` bytewise. */
export const under = (path: string): readonly [from: string, before: string] => [
  `${path}/`,
  `${path}0`,
];
