import { randomFillSync } from 'node:crypto';
import { ownMemory } from './own-memory.js';

/** Source of random bytes; a port so that tests can record what it gave out. */
export interface Random {
  /** In a buffer as `ownMemory` makes it: it may become a key. */
  bytes(length: number): Buffer;
}

export const systemRandom: Random = {
  bytes: (length) => randomFillSync(ownMemory(length)),
};
