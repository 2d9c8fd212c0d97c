import { hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const INNER = 0x36;
const OUTER = 0x5c;
/** Room for a block and what is authenticated in all cases but rare ones, so that none is made. */
const innerRoom = Buffer.alloc(512);
const outerRoom = Buffer.alloc(BLOCK_BYTES + HASH_BYTES);

/**
 * HMAC-SHA256 (RFC 2104) for keys that must leave nothing behind, in memory of its own. All that
 * the key touches is zeroed before this returns; `createHmac` would keep it in a handle until a
 * garbage collection, and takes five times as long to find out that bytes are not a KeyObject.
 */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const short = key.length > BLOCK_BYTES ? hash('sha256', key, 'buffer') : key;
  const length = parts.reduce((sum, part) => sum + part.length, BLOCK_BYTES);
  const inner = length > innerRoom.length ? Buffer.alloc(length) : innerRoom.subarray(0, length);
  pad(inner, short, INNER);
  let at = BLOCK_BYTES;
  for (const part of parts) {
    inner.set(part, at);
    at += part.length;
  }
  const digest = hash('sha256', inner, 'buffer');
  pad(outerRoom, short, OUTER);
  outerRoom.set(digest, BLOCK_BYTES);
  const mac = hash('sha256', outerRoom, 'buffer');
  for (const own of [inner, outerRoom, digest]) own.fill(0);
  if (short !== key) short.fill(0);
  return mac;
}

function pad(block: Buffer, key: Uint8Array, byte: number): void {
  block.fill(byte, 0, BLOCK_BYTES);
  for (let at = 0; at < key.length; at += 1) block[at] = block[at]! ^ key[at]!;
}
