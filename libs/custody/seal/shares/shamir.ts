import { Secret } from '@kcm/crypto';
import { LIMITS } from '@kcm/kernel';
import { combine, split } from 'shamir-secret-sharing';

/**
 * Shamir's scheme over GF(2^8). A threshold of one is a polynomial of degree zero: each value is
 * the secret itself, its x coordinate the index. Values in the order of their index − 1.
 * @throws RangeError unless 1 ≤ threshold ≤ shares ≤ 255
 */
export async function splitSecret(
  secret: Secret,
  shares: number,
  threshold: number,
): Promise<readonly Secret[]> {
  if (!(threshold >= 1 && threshold <= shares && shares <= LIMITS.sharesMax))
    throw new RangeError('1 ≤ threshold ≤ shares ≤ 255');
  const plain = secret.use(plainCopy);
  try {
    const values =
      threshold === 1
        ? Array.from({ length: shares }, (_, at) => appended(plain, at + 1))
        : await split(plain, shares, threshold);
    return values.map((value) => Secret.own(value));
  } finally {
    plain.fill(0);
  }
}

/** `values` are exactly `threshold` of one split; any other list gives another secret or throws. */
export async function combineSecret(values: readonly Secret[]): Promise<Secret> {
  const plain = values.map((value) => value.use(plainCopy));
  try {
    if (plain.length === 1) return Secret.copy(plain[0]!.subarray(0, -1));
    return Secret.own(await combine(plain));
  } finally {
    for (const bytes of plain) bytes.fill(0);
  }
}

function appended(bytes: Uint8Array, last: number): Uint8Array {
  const value = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  value.set(bytes);
  value[bytes.length] = last;
  return value;
}

/** The library takes no Buffer. Off V8's heap, as `ownMemory`; the caller overwrites it. */
function plainCopy(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new ArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
