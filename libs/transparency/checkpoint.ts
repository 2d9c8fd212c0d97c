import { HASH_BYTES } from './hashes.js';

/** What a signed checkpoint says (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Names the log for ever: `openkcm/{region}/{ledger id}`. */
  readonly origin: string;
  /** Leaves. */
  readonly size: number;
  readonly root: Uint8Array;
}

/** The log of one region in one generation of its ledger. */
export const originOf = (region: string, ledger: string): string => `openkcm/${region}/${ledger}`;

/** The text to sign. `extensions`: lines that say more, none of them empty. */
export const checkpointText = (
  { origin, size, root }: Checkpoint,
  extensions: readonly string[] = [],
): string =>
  [origin, String(size), Buffer.from(root).toString('base64'), ...extensions]
    .map((line) => `${line}\n`)
    .join('');

/** What else a checkpoint's text says, line by line. */
export const extensionsOf = (text: string): readonly string[] => text.split('\n').slice(3, -1);

/** null unless the text is a checkpoint; extension lines are passed over, as the format asks. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const [origin, count, hash, ...rest] = text.split('\n');
  if (origin === undefined || count === undefined || hash === undefined) return null;
  if (origin === '' || rest.at(-1) !== '' || rest.slice(0, -1).includes('')) return null;
  const size = /^(0|[1-9]\d{0,15})$/.test(count) ? Number(count) : NaN;
  const root = Buffer.from(hash, 'base64');
  if (!Number.isSafeInteger(size) || root.length !== HASH_BYTES) return null;
  return root.toString('base64') === hash ? { origin, size, root } : null;
}
