import { DecryptionFailed } from '@kcm/kernel';

const LENGTH_BYTES = 4;

/**
 * A stored blob says what it is: its header (format, algorithm, identity, parent and versions),
 * then the body. The header is the AAD of the body and is never trusted: a reader rebuilds it from
 * the identity that was asked for and compares.
 */
export function packBlob(header: Uint8Array, body: Uint8Array): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(header.length);
  return Buffer.concat([length, header, body]);
}

/** The body behind exactly this header. @throws DecryptionFailed on any other header */
export function unpackBlob(blob: Buffer, expected: Buffer): Buffer {
  const at = LENGTH_BYTES + expected.length;
  const fits = blob.length >= at && blob.readUInt32BE() === expected.length;
  if (!fits || !blob.subarray(LENGTH_BYTES, at).equals(expected)) throw new DecryptionFailed();
  return blob.subarray(at);
}
