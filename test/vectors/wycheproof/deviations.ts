import type { Case } from './cases.js';

/**
 * A valid case that ours refuses, and why it does. The test fails on a refusal that is not of this
 * list, on a row of which ours accepts a case, and on a row that explains another number of cases.
 */
export interface Deviation {
  readonly suite: string;
  readonly what: string;
  readonly why: string;
  readonly of: (vector: Case) => boolean;
  /** Valid and acceptable cases. */
  readonly cases: number;
}
const otherHash = ({ sha, mgfSha }: Case) => sha !== 'SHA-256' || mgfSha !== 'SHA-256';
const otherModulus = ({ keySize }: Case) => keySize < 2_048 || keySize > 4_096;

export const DEVIATIONS: readonly Deviation[] = [
  {
    suite: 'AES-GCM',
    what: 'an IV of another length than 12 bytes',
    why: 'a blob has no room for one: only 96-bit IVs enter GCM without a hash that may collide',
    of: ({ ivSize }) => ivSize !== 96,
    cases: 113,
  },
  {
    suite: 'AES-GCM',
    what: 'a key of 128 or 192 bits',
    why: 'every key here has 256 bits',
    of: ({ ivSize, keySize }) => ivSize === 96 && keySize !== 256,
    cases: 77,
  },
  {
    suite: 'AES-KW',
    what: 'a key of 8 bytes',
    why: 'RFC 3394 §2 wraps two blocks at least; it is “acceptable” there, not “valid”',
    of: ({ result }) => result === 'acceptable',
    cases: 3,
  },
  {
    suite: 'RSA-OAEP',
    what: 'another hash than SHA-256 for label or MGF1',
    why: 'one choice: nothing to negotiate down, and what keystores call RSA-OAEP-256',
    of: (vector) => otherHash(vector) && !otherModulus(vector),
    cases: 465,
  },
  {
    suite: 'RSA-OAEP',
    what: 'a modulus of less than 2048 or more than 4096 bits',
    why: 'too weak (NIST SP 800-131A), or a way to make us work for others',
    of: otherModulus,
    cases: 165,
  },
  {
    suite: 'RSA-OAEP',
    what: 'an empty key',
    why: 'nobody wraps nothing: it would be a key that everybody has',
    of: (vector) => vector.bytes('msg').length === 0 && !otherHash(vector) && !otherModulus(vector),
    cases: 6,
  },
];
