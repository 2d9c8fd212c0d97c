import { type FieldError, KcmError, LIMITS } from '@kcm/kernel';
import { readAgeHolder } from './age-holder.js';
import { type Holder, UnusableRecipient } from './holder.js';
import { readOpenPgpHolder } from './openpgp-holder.js';

/** One a share, in their order: a public key of age or OpenPGP; null: the share is shown plain. */
export type Recipients = readonly (string | null)[];

/** @throws KcmError invalid_request naming each recipient that is not usable, by its place */
export async function readHolders(
  recipients: Recipients,
  shares: number,
): Promise<readonly (Holder | null)[]> {
  const errors: FieldError[] = [];
  const refuse = (path: string, code: string, detail: string) =>
    errors.push({ path, code, detail });
  if (recipients.length !== shares)
    refuse('recipients', 'wrong_count', `${recipients.length} of ${shares}: one a share, in order`);
  const seen = new Map<string, number>();
  const holders: (Holder | null)[] = [];
  for (const [at, recipient] of recipients.entries()) {
    const path = `recipients.${at}`;
    const holder = recipient === null ? null : await read(recipient);
    if (holder instanceof UnusableRecipient) {
      refuse(path, 'unusable', `recipient ${at + 1} ${holder.message}`);
      continue;
    }
    holders.push(holder);
    const twin = holder?.identities.map((id) => seen.get(id)).find((other) => other !== undefined);
    if (twin !== undefined)
      refuse(path, 'duplicate', `recipient ${at + 1} is recipient ${twin + 1}: a share each`);
    for (const identity of holder?.identities ?? []) seen.set(identity, at);
  }
  if (errors.length > 0)
    throw new KcmError('invalid_request', 'The shares cannot be encrypted like this.', { errors });
  return holders;
}

async function read(recipient: string): Promise<Holder | UnusableRecipient> {
  const text = recipient.trim();
  try {
    if (text.length > LIMITS.recipientCharsMax)
      throw new UnusableRecipient(`is over ${LIMITS.recipientCharsMax} characters`);
    if (/^age-secret-key-/i.test(text))
      throw new UnusableRecipient('is a secret key: keep it, and give the recipient (age1…)');
    if (/^age1/i.test(text)) return await readAgeHolder(text.toLowerCase());
    return await readOpenPgpHolder(text);
  } catch (error) {
    if (error instanceof UnusableRecipient) return error;
    throw error;
  }
}
