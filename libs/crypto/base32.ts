import { ownMemory } from '@kcm/kernel';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** RFC 4648 §6 in lower case and without padding. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >>> bits) & 31];
    }
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31];
}

/**
 * In memory of its own: it may be a share. Null unless the text is exactly what `base32` writes (no
 * stray character, no loose bits).
 */
export function fromBase32(text: string): Buffer | null {
  const bytes = ownMemory(Math.floor((text.length * 5) / 8));
  let at = 0;
  let bits = 0;
  let value = 0;
  for (const char of text) {
    const digit = ALPHABET.indexOf(char);
    if (digit < 0) return refused(bytes);
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (value >>> bits) & 0xff;
    }
  }
  // What is left over is less than a character, and zeros.
  return bits < 5 && (value & ((1 << bits) - 1)) === 0 ? bytes : refused(bytes);
}

function refused(bytes: Buffer): null {
  bytes.fill(0);
  return null;
}
