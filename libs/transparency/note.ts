import { createHash } from 'node:crypto';

/** A key of signed notes: the name that stands in the note and the raw Ed25519 key (32 bytes). */
export interface NoteKey {
  readonly name: string;
  readonly publicKey: Uint8Array;
}
/** Verifies an Ed25519 signature (RFC 8032) by a raw public key. */
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

const ED25519 = 0x01;
const KEY_HASH_BYTES = 4;
const SIGNATURE_BYTES = 64;
const NOTE_CHARS_MAX = 1_000_000;
const SIGNATURES_MAX = 100;

/** C2SP signed-note: the first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key). */
export function keyHashOf({ name, publicKey }: NoteKey): Buffer {
  const hash = createHash('sha256').update(name, 'utf8').update(Uint8Array.of(0x0a, ED25519));
  return hash.update(publicKey).digest().subarray(0, KEY_HASH_BYTES);
}

/** C2SP verifier key `name+hash+key`: what a verifier pins. */
export function verifierKeyOf(key: NoteKey): string {
  const bytes = Buffer.concat([Uint8Array.of(ED25519), key.publicKey]);
  return `${key.name}+${keyHashOf(key).toString('hex')}+${bytes.toString('base64')}`;
}

/** @throws Error unless the text is the verifier key of an Ed25519 key */
export function parseVerifierKey(text: string): NoteKey {
  const parts = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(text);
  const bytes = Buffer.from(parts?.[3] ?? '', 'base64');
  if (parts === null || bytes.length !== 33 || bytes[0] !== ED25519)
    throw new Error('not a verifier key of an Ed25519 key');
  const key = { name: parts[1]!, publicKey: bytes.subarray(1) };
  if (keyHashOf(key).toString('hex') !== parts[2])
    throw new Error('the verifier key and its hash do not belong together');
  return key;
}

/** Signs a text that ends in a newline (C2SP signed-note). @throws Error on any other */
export function signNote(
  text: string,
  key: NoteKey,
  sign: (message: Uint8Array) => Uint8Array,
): string {
  if (!isText(text)) throw new Error('not the text of a note');
  if (!/^[^+\s]+$/.test(key.name)) throw new Error('not the name of a key');
  const signature = Buffer.concat([keyHashOf(key), sign(Buffer.from(text, 'utf8'))]);
  return `${text}\n— ${key.name} ${signature.toString('base64')}\n`;
}

/**
 * The signed text, once a signature of this key stands under it; those of others are passed over.
 * null for anything else: a wrong signature by this name and hash too.
 */
export function openNote(note: string, key: NoteKey, verify: Verify): string | null {
  if (note.length > NOTE_CHARS_MAX || !isText(note)) return null;
  const end = note.lastIndexOf('\n\n');
  if (end < 0) return null;
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) return null;
  let signed = false;
  for (const line of lines) {
    const parts = /^— ([^+\s]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
    if (parts === null) return null;
    const bytes = Buffer.from(parts[2]!, 'base64');
    if (bytes.toString('base64') !== parts[2] || bytes.length <= KEY_HASH_BYTES) return null;
    const hash = bytes.subarray(0, KEY_HASH_BYTES);
    if (parts[1] !== key.name || !hash.equals(keyHashOf(key))) continue;
    const signature = bytes.subarray(KEY_HASH_BYTES);
    if (signature.length !== SIGNATURE_BYTES) return null;
    if (!verify(key.publicKey, Buffer.from(text, 'utf8'), signature)) return null;
    signed = true;
  }
  return signed ? text : null;
}

/** Ends in a newline and holds no other control character. */
const isText = (text: string) => text.endsWith('\n') && !/(?!\n)\p{Cc}/u.test(text);
