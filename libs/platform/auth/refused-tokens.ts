import { Sha256 } from '@kcm/kernel';

const REMEMBERED_MS = 5_000;
const REMEMBERED_MAX = 10_000;

/**
 * Tokens that were refused a moment ago, by their digests: whoever sends one over and over pays for
 * it before it is looked at again.
 */
export class RefusedTokens {
  /** Until when, first to end first. */
  readonly #until = new Map<string, number>();

  constructor(private readonly now: () => number) {}

  has(token: string): boolean {
    return (this.#until.get(digestOf(token)) ?? 0) > this.now();
  }

  add(token: string): void {
    const digest = digestOf(token);
    this.#until.delete(digest);
    this.#until.set(digest, this.now() + REMEMBERED_MS);
    if (this.#until.size > REMEMBERED_MAX) this.#until.delete(this.#until.keys().next().value!);
  }
}

const digestOf = (token: string): string => new Sha256().update(token).hex();
