import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { constantTimeEqual, sha256Hex } from '@kcm/crypto';
import type { Random } from '@kcm/kernel';
import { writePrivately } from '../engines/private-file.js';

/** Whether a bearer is the operator's token; valid while sealed too. */
export type OperatorTokenCheck = (bearer: string) => boolean;

/**
 * 32 random bytes, written once to `operator-token` (0600) for the operator to take away; what is
 * kept to compare with is its SHA-256.
 */
export function operatorToken(dataDir: string, random: Random): OperatorTokenCheck {
  const digestFile = join(dataDir, 'operator-token.sha256');
  // An empty digest is of nobody's token: a first start was killed while it wrote.
  if (!existsSync(digestFile) || readFileSync(digestFile, 'utf8').trim() === '') {
    const token = random.bytes(32).toString('base64url');
    writePrivately(join(dataDir, 'operator-token'), `${token}\n`);
    writePrivately(digestFile, `${sha256Hex(Buffer.from(token))}\n`);
  }
  return isOf(readFileSync(digestFile, 'utf8').trim());
}

/** Processes apart have no folder in common: the operator gives all of them the same token. */
export const givenOperatorToken = (token: string): OperatorTokenCheck =>
  isOf(sha256Hex(Buffer.from(token)));

const isOf =
  (digest: string): OperatorTokenCheck =>
  (bearer) =>
    constantTimeEqual(Buffer.from(sha256Hex(Buffer.from(bearer))), Buffer.from(digest));
