import { randomFillSync } from 'node:crypto';

/** Source of random bytes; a port so that tests can record what it gave out. */
export interface Random {
  /** Fresh buffer outside Node's shared pool. */
  bytes(length: number): Buffer;
}

export const systemRandom: Random = {
  bytes: (length) => randomFillSync(Buffer.alloc(length)),
};
