import { createHash } from 'node:crypto';

/** Bytes of every hash of the tree. */
export const HASH_BYTES = 32;

/** SHA-256(0x00 ‖ entry): RFC 6962 §2.1. */
export const leafHash = (entry: Uint8Array): Buffer =>
  createHash('sha256').update(Uint8Array.of(0)).update(entry).digest();

/** SHA-256(0x01 ‖ left ‖ right): RFC 6962 §2.1. */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer =>
  createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest();

/** The root of the tree without leaves: SHA-256 of nothing. */
export const emptyRoot = (): Buffer => createHash('sha256').digest();
