import { type Holder, identityOf, UnusableRecipient } from './holder.js';

/** A native recipient of age (C2SP `age`, X25519): `age1` and Bech32. */
export async function readAgeHolder(recipient: string): Promise<Holder> {
  if (!/^age1[02-9ac-hj-np-z]{58}$/.test(recipient))
    throw new UnusableRecipient('is no X25519 recipient of age (age1…, 62 characters)');
  const { armor, Encrypter } = await import('age-encryption');
  const encrypt = async (text: string): Promise<string> => {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    return armor.encode(await encrypter.encrypt(text));
  };
  try {
    // Checks Bech32’s checksum, and that the point gives a secret at all (RFC 7748 §6.1).
    await encrypt('');
  } catch {
    throw new UnusableRecipient('was mistyped: its checksum does not match, or it is no point');
  }
  return { identities: [identityOf('age', recipient)], encrypt };
}
