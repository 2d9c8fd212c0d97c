import type { BlobStore } from '@kcm/vault';

const KEYRINGS = 'sys/keyring';
export interface ShareSets {
  /** The one that opens the region; null before there is one. */
  readonly counting: string | null;
  /** Those that count no more: their keyrings go. */
  readonly retired: readonly string[];
}

/**
 * The erasure store has a copy of the keyring that counts, as it lies in the vault: sealed under
 * shares that nobody keeps beside it; never one of shares that are not proved yet. What it holds is
 * behind the barrier, so a vault that is put back from before a rotation could not open it.
 */
export async function keepKeyrings(
  vault: BlobStore,
  erasure: BlobStore,
  { counting, retired }: ShareSets,
): Promise<void> {
  const there = new Set(await erasure.list(KEYRINGS));
  if (counting !== null) {
    const path = `${KEYRINGS}/${counting}`;
    const [bytes, kept] = [await vault.get(path), await erasure.get(path)];
    // One that is longer is later: it waits to be adopted.
    const later = kept !== null && bytes !== null && kept.length > bytes.length;
    if (bytes !== null && !later && kept?.equals(bytes) !== true) await erasure.put(path, bytes);
  }
  for (const set of retired)
    if (there.has(`${KEYRINGS}/${set}`)) await erasure.erase(`${KEYRINGS}/${set}`);
}

/**
 * Before an unseal: a keyring of the same shares with more keys than the vault's takes its place. It
 * only grows, so the longer one is the later one. @returns how many
 */
export async function adoptKeyrings(vault: BlobStore, erasure: BlobStore): Promise<number> {
  let count = 0;
  for (const path of await vault.list(KEYRINGS)) {
    const [ours, kept] = [await vault.get(path), await erasure.get(path)];
    if (ours === null || kept === null || kept.length <= ours.length) continue;
    await vault.put(path, kept);
    count += 1;
  }
  return count;
}
