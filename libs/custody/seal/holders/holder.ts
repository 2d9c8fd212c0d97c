import { createHash } from 'node:crypto';

/** Who is given a share, by the public key that it is encrypted to. */
export interface Holder {
  /** Two keys of one holder: whoever has one identity in common with another is the same person. */
  readonly identities: readonly string[];
  /** ASCII armour that `age -d` or `gpg -d` opens, with nothing but the text in it. */
  encrypt(text: string): Promise<string>;
}

/** What is wrong with a recipient, as a sentence about it. */
export class UnusableRecipient extends Error {}

export const identityOf = (kind: string, bytes: Uint8Array | string): string =>
  `${kind}:${createHash('sha256').update(bytes).digest('hex')}`;
