import { setImmediate } from 'node:timers/promises';
import {
  backupEndLine,
  backupHeaderLine,
  BackupDigests,
  ExportLines,
  valueLine,
} from '@kcm/application';
import { type Clock, KcmError, rfc3339 } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { GrowingTree, leafOf } from '@kcm/transparency';
import type { BlobStore } from '@kcm/vault';

export interface BackupDeps {
  readonly ledger: Ledger;
  readonly vault: BlobStore;
  readonly directory: BlobStore;
  readonly region: string;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** The set of shares that opens the region. */
  readonly sealedBy: () => string;
  /** Signs the checkpoint with these extension lines. @throws KcmError sealed */
  readonly sign: (
    head: { readonly ledger: string; readonly size: number; readonly root: Buffer },
    extensions: readonly string[],
  ) => string;
}

/**
 * A backup of the region while it serves, in lines: see `BACKUP_FORMAT`. Each wrapped key is durable
 * in the vault before an event names it, so a vault that is read after the ledger holds all that the
 * ledger names, but for what was shredded meanwhile. Of the vault the keyring comes last: it opens
 * every value that was read before it. The erasure store is left out.
 * @throws KcmError sealed · wrong_state (other shares meanwhile: take it again) · the stores' errors
 */
export async function* backup(deps: BackupDeps): AsyncGenerator<string, void, undefined> {
  const { ledger, vault, directory, region, clock, sealedBy, sign } = deps;
  const takenAt = rfc3339(clock.wallMs());
  const before = sealedBy();
  const digests = new BackupDigests();
  yield backupHeaderLine({ region, ledger: ledger.id, takenAt });

  const lines = new ExportLines();
  const tree = new GrowingTree();
  yield digests.told('ledger', lines.header(ledger.id));
  for await (const item of ledger.feed('start', new AbortController().signal)) {
    if (item.kind === 'caughtUp') break;
    if (item.kind !== 'events') continue;
    for (const event of item.events) {
      if (event.meta.origin === region) tree.append(leafOf(event));
      yield digests.told('ledger', lines.event(event));
    }
  }
  yield digests.told('ledger', lines.end());

  // Shares that are not proved yet, or count no more, open no backup.
  const others = (await vault.list('')).filter((path) => !path.startsWith(KEYRINGS));
  yield* valuesOf('vault', vault, [...others, `${KEYRINGS}${before}`], digests);
  yield* valuesOf('directory', directory, await directory.list(''), digests);

  if (sealedBy() !== before)
    throw new KcmError('wrong_state', 'The region has other shares now: take the backup again.');
  const head = { ledger: ledger.id, size: tree.size, root: tree.root() };
  yield backupEndLine(sign(head, digests.lines(takenAt)));
}

const KEYRINGS = 'sys/keyring/';
const CHUNK_CHARS = 64 * 1024;

/**
 * The same in larger pieces, between which everybody else has a turn: reading does not wait for
 * anything, and leases end where nothing else runs for a second.
 */
export async function* backupChunks(deps: BackupDeps): AsyncGenerator<string, void, undefined> {
  let chunk = '';
  for await (const line of backup(deps)) {
    chunk += line;
    if (chunk.length < CHUNK_CHARS) continue;
    yield chunk;
    chunk = '';
    await setImmediate();
  }
  yield chunk;
}

async function* valuesOf(
  name: 'vault' | 'directory',
  store: BlobStore,
  paths: readonly string[],
  digests: BackupDigests,
): AsyncGenerator<string, void, undefined> {
  for (const path of paths) {
    const bytes = await store.get(path);
    // Erased since it was listed.
    if (bytes !== null) yield digests.told(name, valueLine(name, path, bytes));
  }
}
