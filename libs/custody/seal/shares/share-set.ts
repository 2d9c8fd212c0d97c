import type { Secret } from '@kcm/crypto';
import { type FieldError, KcmError, LIMITS } from '@kcm/kernel';
import { readHolders, type Recipients } from '../holders/read-holders.js';
import { splitSecret } from './shamir.js';
import { regionFingerprint, shareDigest, writeShare } from './share.js';

/** How a secret is shared out. */
export interface SetRequest {
  readonly shares: number;
  readonly threshold: number;
  /** Encrypts each share to its holder; without them all are shown plain. */
  readonly recipients?: Recipients | undefined;
}
export interface ShareSet {
  readonly shares: number;
  readonly threshold: number;
  /** SHA-256 (hex) of each share's text, by index − 1. */
  readonly shareDigests: readonly string[];
  /** By index − 1: `kcms1-…`, or that in the armour of its holder's key. Kept nowhere. */
  readonly texts: readonly string[];
}

/**
 * Reads the request whole before anything is drawn. The answer shares out a secret.
 * @throws KcmError invalid_request, by field
 */
export async function sharingOut(
  request: SetRequest,
): Promise<(region: string, setId: string, secret: Secret) => Promise<ShareSet>> {
  const { shares, threshold, recipients } = assertSize(request);
  const holders = recipients === undefined ? [] : await readHolders(recipients, shares);
  return async (region, setId, secret) => {
    const values = await splitSecret(secret, shares, threshold);
    const set = { setId, threshold, shares, region: regionFingerprint(region) };
    const plain = values.map((value, at) => writeShare({ ...set, index: at + 1, value }));
    for (const value of values) value.dispose();
    const texts = await Promise.all(
      plain.map(async (text, at) => (await holders[at]?.encrypt(`${text}\n`)) ?? text),
    );
    return { shares, threshold, shareDigests: plain.map(shareDigest), texts };
  };
}

function assertSize(request: SetRequest): SetRequest {
  const { shares, threshold } = request;
  const errors: FieldError[] = [];
  const wrong = (path: string, detail: string) => errors.push({ path, code: 'invalid', detail });
  if (!Number.isInteger(shares) || shares < 1 || shares > LIMITS.sharesMax)
    wrong('shares', `shares is a whole number from 1 to ${LIMITS.sharesMax}.`);
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > shares)
    wrong('threshold', 'threshold is a whole number from 1 to shares.');
  if (errors.length > 0)
    throw new KcmError('invalid_request', 'The shares cannot be made like this.', { errors });
  return request;
}
