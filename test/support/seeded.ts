/** A seed that a failure can be repeated with: KCM_TEST_SEED, or a new one. Say it aloud. */
export const seedOf = (): number =>
  Number(process.env['KCM_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** A line of a test's own on stderr: jest shows it whatever happens afterwards. */
export const say = (line: string): void => void process.stderr.write(`    ${line}\n`);

/** Draws that follow from the seed alone (mulberry32). */
export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1 */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[this.between(0, from.length - 1)]!;
  }

  /** Another sequence that follows from this one: one for each writer. */
  fork(): Seeded {
    return new Seeded(this.between(0, 2 ** 31));
  }
}
