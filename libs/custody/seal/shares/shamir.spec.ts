import { execFileSync } from 'node:child_process';
import { Secret } from '@kcm/crypto';
import { systemRandom } from '@kcm/kernel';
import { combineSecret, splitSecret } from './shamir.js';

/** GF(2^8) of AES (x^8 + x^4 + x^3 + x + 1), written from the definition. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 0, shifted = a; bit < 8; bit += 1) {
    if ((b >> bit) & 1) product ^= shifted;
    shifted = (shifted << 1) ^ (shifted & 0x80 ? 0x11b : 0);
  }
  return product;
}
const INVERSE = Array.from({ length: 256 }, (_, a) =>
  a === 0 ? 0 : Array.from({ length: 256 }, (_b, b) => b).find((b) => times(a, b) === 1)!,
);
/** Lagrange at x = 0; a share is the y values and its x coordinate, the last byte. */
function interpolate(shares: readonly Buffer[]): Buffer {
  const x = shares.map((share) => share.at(-1)!);
  const weights = x.map((xi, i) =>
    x.reduce((w, xj, j) => (i === j ? w : times(w, times(xj, INVERSE[xi ^ xj]!))), 1),
  );
  const length = shares[0]!.length - 1;
  const at = (byte: number) => shares.reduce((sum, y, i) => sum ^ times(y[byte]!, weights[i]!), 0);
  return Buffer.from(Array.from({ length }, (_, byte) => at(byte)));
}

function* subsets<T>(items: readonly T[], length: number, from = 0): Generator<T[]> {
  if (length === 0) yield [];
  else
    for (let at = from; at <= items.length - length; at += 1)
      for (const rest of subsets(items, length - 1, at + 1)) yield [items[at]!, ...rest];
}
/** In a Node of its own: inside Jest's the library takes forty times as long. */
const ORDERS = `
import { combine } from 'shamir-secret-sharing';
const { shares, k } = JSON.parse(process.argv[1]);
const all = shares.map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));
const found = new Set();
let tried = 0;
async function go(chosen, left) {
  if (chosen.length < k) {
    for (const one of left) await go([...chosen, one], left.filter((other) => other !== one));
    return;
  }
  found.add(Buffer.from(await combine(chosen)).toString('hex'));
  tried += 1;
}
await go([], all);
console.log(JSON.stringify({ found: [...found], tried }));
`;
/** Every subset of k in every order: what each gives, without repetition, and how many there are. */
function everyOrder(shares: readonly Buffer[], k: number): { found: string[]; tried: number } {
  const given = JSON.stringify({ shares: shares.map((share) => share.toString('hex')), k });
  const args = ['--input-type=module', '-e', ORDERS, given];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as {
    found: string[];
    tried: number;
  };
}

const bytesOf = (secret: Secret): Buffer => secret.use((bytes) => Buffer.from(bytes));
const together = async (shares: readonly Secret[]): Promise<Buffer> =>
  bytesOf(await combineSecret(shares));

describe('Shamir’s scheme', () => {
  it.each([
    [2, 3],
    [3, 5],
    [5, 9],
  ])('%i of %i: every subset in every order gives the secret, one less never', async (k, n) => {
    const secret = systemRandom.bytes(32);
    const values = await splitSecret(Secret.copy(secret), n, k);
    const { found, tried } = everyOrder(values.map(bytesOf), k);
    expect(found).toEqual([secret.toString('hex')]);
    expect(tried).toBe(Array.from({ length: k }, (_, at) => n - at).reduce((a, b) => a * b));
    for (const chosen of subsets(values, k))
      expect((await together(chosen)).equals(secret)).toBe(true);
    for (const fewer of subsets(values, k - 1)) {
      if (k > 2) expect((await together(fewer)).equals(secret)).toBe(false);
      expect(interpolate(fewer.map(bytesOf)).equals(secret)).toBe(false);
    }
  });

  it.each([
    [1, 1],
    [1, 3],
    [2, 3],
    [3, 5],
    [5, 9],
    [255, 255],
  ])('%i of %i: another implementation gets the same secret from the same shares', async (k, n) => {
    const secret = systemRandom.bytes(32);
    const values = await splitSecret(Secret.copy(secret), n, k);
    const shares = values.map(bytesOf);
    expect(new Set(shares.map((share) => share.at(-1))).size).toBe(n);
    let chosen = 0;
    for (const some of subsets(shares, k)) {
      expect(interpolate(some).equals(secret)).toBe(true);
      if ((chosen += 1) === 200) break;
    }
  });

  it('takes shares that another implementation made', async () => {
    const secret = systemRandom.bytes(32);
    const coefficients = [secret, systemRandom.bytes(32), systemRandom.bytes(32)];
    const made = [7, 200, 255].map((x) => {
      const y = (byte: number) => coefficients.reduceRight((sum, c) => times(sum, x) ^ c[byte]!, 0);
      return Secret.own(Buffer.from([...secret.keys()].map(y).concat(x)));
    });
    expect((await together(made)).equals(secret)).toBe(true);
  });
});
