import { inspect } from 'node:util';
import { ownMemory } from '@kcm/kernel';

/**
 * Bytes that must not be seen: never in an event, log, error, span or snapshot. They lie in memory
 * that this made for them (`ownMemory`), and are filled with zeros on dispose.
 */
export class Secret implements Disposable {
  #bytes: Buffer | null;
  readonly length: number;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  /** Moves out of whatever buffer they came in: `bytes` are zeros when this returns. */
  static own(bytes: Uint8Array): Secret {
    const secret = Secret.copy(bytes);
    bytes.fill(0);
    return secret;
  }

  /** Copies; the caller zeroizes its own bytes. */
  static copy(bytes: Uint8Array): Secret {
    const own = ownMemory(bytes.length);
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
