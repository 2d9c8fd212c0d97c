export type Identity = Readonly<Record<string, string | number>>;

/** What opens a blob under an identity, on stores and keys that all identities have in common. */
export interface Sealed {
  /** As it lies there. */
  readonly blob: Buffer;
  /** The bytes in it. @throws what the product throws */
  readonly open: (as: Identity, blob: Buffer) => Promise<Uint8Array>;
}
/**
 * A kind of blob that the product seals. Each field of its identity is moved to each of its other
 * values, alone and with others; the key is the same for all wherever that can be: what refuses is
 * the binding alone. A new kind is a new row, or the test of all places that seal fails.
 */
export interface BlobKind {
  readonly name: string;
  /** The source file that seals it. */
  readonly sealedIn: string;
  readonly own: Identity;
  /** For each field of `own`. */
  readonly others: Readonly<Record<string, readonly (string | number)[]>>;
  /** Seals `PLAIN` under `own`. */
  readonly seal: () => Promise<Sealed>;
  /** Fields that nobody asks for: the blob says them, so that they are moved by rewriting alone. */
  readonly said?: readonly string[];
  /** Whoever moves it also rewrites what stands before the ciphertext; by default there is nothing. */
  readonly rewritten?: (blob: Buffer, as: Identity) => Buffer;
  /** Code or class of the one way in which it is refused. */
  readonly refusals: readonly string[];
}

export const PLAIN = Buffer.alloc(32, 0x2a);
export const text = (of: Identity, field: string): string => String(of[field]);
export const number = (of: Identity, field: string): number => Number(of[field]);
