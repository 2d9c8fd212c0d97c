import { inspect } from 'node:util';

/**
 * Bytes that must not be seen: never in an event, log, error, span or snapshot. Owns its buffer,
 * which lies outside Node's pool, and fills it with zeros on dispose.
 */
export class Secret implements Disposable {
  #bytes: Buffer | null;
  readonly length: number;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  /** Takes ownership: the caller keeps no reference to `bytes`. */
  static own(bytes: Buffer): Secret {
    return new Secret(bytes);
  }

  /** Copies; the caller zeroizes its own bytes. */
  static copy(bytes: Uint8Array): Secret {
    const own = Buffer.alloc(bytes.length);
    own.set(bytes);
    return new Secret(own);
  }

  /** Lends the bytes for one call; they must not be kept. @throws Error after dispose */
  use<T>(lend: (bytes: Buffer) => T): T {
    if (this.#bytes === null) throw new Error('the secret has been disposed of');
    return lend(this.#bytes);
  }

  get disposed(): boolean {
    return this.#bytes === null;
  }

  dispose(): void {
    this.#bytes?.fill(0);
    this.#bytes = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): never {
    throw new TypeError('a secret cannot be written down');
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
