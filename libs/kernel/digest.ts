import { createHash } from 'node:crypto';

/** SHA-256 over texts (as UTF-8) fed one after the other. */
export class Sha256 {
  readonly #hash = createHash('sha256');

  update(text: string): this {
    this.#hash.update(text, 'utf8');
    return this;
  }
  /** Lower-case hex; nothing can be fed afterwards. */
  hex(): string {
    return this.#hash.digest('hex');
  }
}
