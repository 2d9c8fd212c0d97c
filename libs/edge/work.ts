import { KcmError } from '@kcm/kernel';
import { parseBlob, type Blob, type Purpose } from './records/blob.js';
import type { L3Handle } from './records/l3-handle.js';

/** One item to encrypt or decrypt; `context` in RFC 8785 form, null for none. */
export interface Work {
  readonly bytes: Buffer;
  readonly context: string | null;
  /** Of what is opened: the caller stores `rewrapped` in its place. */
  readonly rewrap?: boolean;
}
export interface Done {
  readonly bytes: Buffer;
  readonly keyVersion: number;
  readonly grantId: string;
  /** A newer version has taken over: what was opened is to be wrapped anew. */
  readonly stale: boolean;
  /** What was opened, sealed by the newest version; null: not asked for, not stale, or in vain. */
  readonly rewrapped: Buffer | null;
}
export type Outcome = Done | KcmError;
/** `bytes`: the data key in the clear, which belongs to the receiver, who fills it with zeros. */
export interface DataKey extends Done {
  /** A UUID. */
  readonly id: string;
  readonly wrapped: Buffer;
  /** RFC 3339: the end of the lease under which it is given out; nothing here enforces it. */
  readonly expiresAt: string;
}
export const doneBy = (handle: L3Handle, bytes: Buffer): Done => ({
  bytes,
  keyVersion: handle.version,
  grantId: handle.grantId,
  stale: handle.replaced,
  rewrapped: null,
});

/** @throws KcmError export_not_allowed */
export function assertMayExport(handle: L3Handle): void {
  if (handle.mayExport) return;
  throw new KcmError(
    'export_not_allowed',
    'The tenant does not allow data keys to leave the Edge.',
  );
}

export const idBytes = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');
export const uuidOf = (id: Buffer): string =>
  id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

export function orNull<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}

export const readBlob = (bytes: Buffer, purpose: Purpose): Blob | null =>
  orNull(() => parseBlob(bytes, purpose));
