import type { Random } from './random.js';

/** Uniform in [0, 1). */
export const fraction = (random: Random): number => random.bytes(4).readUInt32BE() / 2 ** 32;

/** Full jitter: anything up to `min · 2^attempt`, capped at `max`. `attempt` counts from 0. */
export const fullJitterMs = (random: Random, attempt: number, min: number, max: number): number =>
  fraction(random) * Math.min(max, min * 2 ** Math.min(attempt, 30));
