import type { Random } from '@kcm/kernel';

export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Full jitter: uniform in [0, min(cap, base · 2^(failures − 1))], milliseconds. */
export function backoffMs(random: Random, failures: number, { baseMs, capMs }: BackoffLimits) {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.floor((random.bytes(4).readUInt32BE() / 2 ** 32) * ceiling);
}
