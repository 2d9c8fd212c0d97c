import { TtlvError } from './errors.js';
import { ITEM_TYPES } from './ttlv.js';

const HEADER_BYTES = 8;

/**
 * Cuts a byte stream into messages by their length field. Holds at most one message's bytes; a
 * header that cannot start the expected message, or that announces too much, is refused before the
 * rest arrives.
 */
export class Framer {
  #chunks: Buffer[] = [];
  #buffered = 0;
  #needed = HEADER_BYTES;
  #headerRead = false;

  constructor(
    private readonly tag: number,
    private readonly bytesMax: number,
  ) {}

  /** Whether a message has begun and is not complete. */
  get partial(): boolean {
    return this.#buffered > 0;
  }

  /**
   * Takes bytes in and returns every message that is now whole, each in a buffer of its own
   * (outside
   * Node's pool, so that it can be overwritten). @throws TtlvError: the stream cannot be resumed
   */
  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    for (;;) {
      if (this.#buffered < this.#needed) return messages;
      if (!this.#headerRead) {
        this.#readHeader();
        continue;
      }
      messages.push(this.#cut(this.#needed));
      this.#needed = HEADER_BYTES;
      this.#headerRead = false;
    }
  }

  #readHeader(): void {
    const joined = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    if (joined.readUIntBE(0, 3) !== this.tag || joined[3] !== ITEM_TYPES.structure)
      throw new TtlvError('wrong_tag', 0, 'not the start of a message');
    const length = joined.readUInt32BE(4);
    if (length % 8 !== 0)
      throw new TtlvError('wrong_length', 4, 'a Structure has whole words of 8 bytes');
    if (HEADER_BYTES + length > this.bytesMax)
      throw new TtlvError('too_large', 4, `more than ${this.bytesMax} bytes`);
    this.#needed = HEADER_BYTES + length;
    this.#headerRead = true;
  }

  /** The first `length` bytes in a fresh buffer; what was buffered of them is overwritten. */
  #cut(length: number): Buffer {
    const out = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const chunk = this.#chunks[0]!;
      const part = chunk.subarray(0, length - filled);
      out.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
      part.fill(0);
    }
    this.#buffered -= length;
    return out;
  }
}
