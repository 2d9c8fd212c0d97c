import { Decrypter, armor, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { decrypt, generateKey, readMessage, readPrivateKey, revokeKey } from 'openpgp';
import { readHolders, type Recipients } from './read-holders.js';

const age = async () => {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const open = async (text: string): Promise<string> => {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    return decrypter.decrypt(armor.decode(text), 'text');
  };
  return { identity, recipient, open };
};
const pgp = async (more: object = {}) => {
  const userIDs = [{ name: 'anna' }];
  const made = await generateKey({ type: 'curve25519', userIDs, format: 'armored', ...more });
  const open = async (armored: string): Promise<string> => {
    const decryptionKeys = await readPrivateKey({ armoredKey: made.privateKey });
    const message = await readMessage({ armoredMessage: armored });
    return (await decrypt({ message, decryptionKeys })).data;
  };
  return { ...made, recipient: made.publicKey, open };
};
const refusals = (recipients: Recipients, shares = recipients.length) =>
  readHolders(recipients, shares).then(
    () => [],
    (error: { errors: { path: string; code: string; detail: string }[] }) => error.errors,
  );

describe('A holder’s public key', () => {
  it('of age or OpenPGP: what is encrypted to it its own key opens, and no other', async () => {
    const all = [await age(), await pgp(), await age(), await pgp()];
    const holders = await readHolders([...all.map(({ recipient }) => recipient), null], 5);
    expect(holders[4]).toBeNull();
    for (const [at, { open }] of all.entries()) {
      const texts = await Promise.all(
        holders.slice(0, 4).map((holder) => holder!.encrypt('kcms1')),
      );
      for (const text of texts) expect(text).not.toContain('kcms1');
      await expect(open(texts[at]!)).resolves.toBe('kcms1');
      await expect(open(texts[(at + 2) % 4]!)).rejects.toThrow(Error);
    }
  });

  it('is read as a person copies it', async () => {
    const { recipient } = await age();
    const { publicKey } = await pgp();
    await expect(
      readHolders([` ${recipient.toUpperCase()}\n`, `\n${publicKey}\n`], 2),
    ).resolves.toHaveLength(2);
  });

  it('is refused by its place: another count, the same holder twice', async () => {
    const [one, other] = [await age(), await pgp()];
    const pair = [one.recipient, other.recipient];
    expect(await refusals(pair, 3)).toMatchObject([{ path: 'recipients', code: 'wrong_count' }]);
    expect(await refusals([...pair, ...pair])).toMatchObject([
      {
        path: 'recipients.2',
        code: 'duplicate',
        detail: 'recipient 3 is recipient 1: a share each',
      },
      { path: 'recipients.3', code: 'duplicate' },
    ]);
    expect(await refusals([null, null])).toEqual([]);
  });

  it('is refused when it is malformed, secret, of another kind or can encrypt nothing', async () => {
    const [one, key] = [await age(), await pgp()];
    const last = one.recipient.at(-1) === 'q' ? 'p' : 'q';
    const signing = await pgp({ type: 'ecc', curve: 'ed25519Legacy', subkeys: [] });
    const expired = await pgp({ keyExpirationTime: 1, date: new Date(Date.now() - 60_000) });
    const revoked = await revokeKey({
      key: await readPrivateKey({ armoredKey: (await pgp()).privateKey }),
      format: 'armored',
    });
    const wrong: [string, RegExp][] = [
      ['', /is no OpenPGP/],
      ['anna', /is no OpenPGP/],
      [one.recipient.slice(0, -1) + last, /mistyped/],
      [one.recipient.slice(0, -1), /no X25519 recipient/],
      [`age1pq1${'q'.repeat(80)}`, /no X25519 recipient/],
      [one.identity, /secret key/],
      [key.privateKey, /private key/],
      [key.publicKey.slice(0, 300), /is no OpenPGP/],
      [`${key.publicKey}${one.recipient}`.repeat(60), /over 32768 characters/],
      [signing.publicKey, /no key that encrypts/],
      [expired.publicKey, /no key that encrypts/],
      [revoked.publicKey, /no key that encrypts/],
    ];
    const errors = await refusals(wrong.map(([recipient]) => recipient));
    expect(errors.map(({ path }) => path)).toEqual(wrong.map((_, at) => `recipients.${at}`));
    for (const [at, { code, detail }] of errors.entries()) {
      expect(code).toBe('unusable');
      expect(detail).toMatch(wrong[at]![1]);
      expect(detail).not.toContain(one.identity);
    }
  });
});
