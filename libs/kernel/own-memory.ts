/**
 * A fresh buffer of zeros for bytes that must not outlive their use: filled with zeros again it
 * leaves none behind. Of `Buffer.alloc` and `Uint8Array` that is not true: up to 64 bytes lie on
 * V8's heap, where the collector moves them and leaves behind what was there. `Buffer.from` and
 * `Buffer.concat` cut from a pool that others see.
 */
export const ownMemory = (length: number): Buffer => Buffer.from(new ArrayBuffer(length));

/** Standard base64 without a copy of the bytes on the way; the text itself cannot be overwritten. */
export const base64Of = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');
