import type { Command } from 'commander';
import { readText } from '../read-file.js';
import { readStdin } from '../stdin.js';
import { wholeNumber } from '../whole-number.js';

/** How a region's secret is shared out, as it is typed. */
export interface NewShares {
  readonly shares: string;
  readonly threshold: string;
  readonly recipient?: readonly string[];
}

export const withRecipients = (c: Command): Command =>
  c.option(
    '--recipient <key>',
    'of each share in turn: age1…, a file with such a key or an OpenPGP public key, or "plain"',
    (key: string, before: readonly string[] | undefined) => [...(before ?? []), key],
  );

export const newShares = ({ shares, threshold, recipient }: NewShares) => ({
  shares: wholeNumber(shares),
  threshold: wholeNumber(threshold),
  ...(recipient === undefined ? {} : { recipients: recipient.map(recipientOf) }),
});

function recipientOf(key: string): string | null {
  if (key === 'plain') return null;
  return /^age1/i.test(key) ? key : readText(key);
}

/** '-' reads standard input, so that a share need not stand in the shell's history. */
export const shareOf = async (text: string): Promise<string> =>
  (text === '-' ? (await readStdin()).toString('utf8') : text).trim();
