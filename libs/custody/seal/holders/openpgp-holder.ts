import type { Key } from 'openpgp';
import { type Holder, identityOf, UnusableRecipient } from './holder.js';

/** A public key of OpenPGP (RFC 9580, RFC 4880) in ASCII armour. */
export async function readOpenPgpHolder(armored: string): Promise<Holder> {
  const { createMessage, encrypt, readKeys } = await import('openpgp');
  let keys: Key[];
  try {
    keys = await readKeys({ armoredKeys: armored });
  } catch {
    throw new UnusableRecipient('is no OpenPGP public key in ASCII armour');
  }
  const [key] = keys;
  if (key === undefined || keys.length > 1)
    throw new UnusableRecipient(`holds ${keys.length} OpenPGP keys: give one`);
  if (key.isPrivate())
    throw new UnusableRecipient('is a private key: keep it, and give the public one');
  const encryptTo = async (text: string): Promise<string> =>
    encrypt({ message: await createMessage({ text }), encryptionKeys: key });
  try {
    const { keyPacket } = await key.getEncryptionKey();
    await encryptTo('');
    const fingerprints = [key.getFingerprint(), Buffer.from(keyPacket.getFingerprintBytes()!)];
    return { identities: fingerprints.map((of) => identityOf('openpgp', of)), encrypt: encryptTo };
  } catch {
    throw new UnusableRecipient(
      'has no key that encrypts now: for signing only, expired or revoked',
    );
  }
}
