import { existsSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { KcmError, oneOrMore, type Random } from '@kcm/kernel';
import type { BlobStore, Copies } from '@kcm/vault';
import type { Place } from '@kcm/vault/replicated';
import type { Config } from '../config.js';
import { addressOf } from './address.js';
import { assertPrivateFolder } from './private-folder.js';

/** Where a copy of the erasure store is: a file, or a server. */
export type ErasurePlace =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'server'; readonly url: string };

/** @param dir the data folder, resolved */
export const erasurePlaces = (
  { KCM_ERASURE }: Pick<Config, 'KCM_ERASURE'>,
  dir: string,
): ErasurePlace[] =>
  KCM_ERASURE.map((text) =>
    text.startsWith('sqlite:')
      ? { kind: 'file', file: resolve(dir, text.slice('sqlite:'.length) || 'erasure.db') }
      : { kind: 'server', url: text },
  );

interface Hooks {
  readonly onLost: (error: KcmError) => void;
  readonly onDamaged: (error: KcmError) => void;
}

/** @throws KcmError what opening the first one threw, when none can be opened */
export async function openErasure(
  config: Config,
  dir: string,
  random: Random,
  hooks: Hooks,
): Promise<Copies> {
  const { openReplicated } = await import('@kcm/vault/replicated');
  const places = erasurePlaces(config, dir).map((place): Place =>
    place.kind === 'server'
      ? { name: `KCM_ERASURE (${addressOf(place.url)})`, open: () => atServer(place.url) }
      : { name: place.file, open: () => inFile(place.file, dir, hooks) },
  );
  return openReplicated(oneOrMore(places)!, random);
}

async function atServer(url: string): Promise<BlobStore> {
  const { openMongoBlobStore } = await import('@kcm/vault/mongodb');
  return openMongoBlobStore({ url, role: 'erasure' });
}

async function inFile(file: string, dir: string, { onLost, onDamaged }: Hooks): Promise<BlobStore> {
  const folder = dirname(file);
  if (!isWithin(dir, folder)) {
    // It is not made here: where a disk is not mounted, its place would be taken by another one.
    if (!existsSync(folder))
      throw new KcmError(
        'invalid_request',
        `KCM_ERASURE: there is no folder ${folder}: is its disk mounted? Make it there, on the disk.`,
      );
    assertPrivateFolder(folder, 'KCM_ERASURE');
  }
  const { openSqliteBlobStore } = await import('@kcm/vault/sqlite');
  return openSqliteBlobStore({ file, role: 'erasure', onLost, onDamaged });
}

const isWithin = (dir: string, folder: string): boolean =>
  folder === dir || !relative(dir, folder).startsWith('..');

/** Where copies of the erasure store itself are kept for some days. @param dir resolved */
export const erasureBackupsFolder = (
  { KCM_ERASURE_BACKUPS }: Pick<Config, 'KCM_ERASURE_BACKUPS'>,
  dir: string,
): string => resolve(dir, KCM_ERASURE_BACKUPS);

/** A copy of everything in a new file, closed again. @throws the stores' errors */
export async function copyErasure(erasure: Copies, file: string): Promise<void> {
  const { openSqliteBlobStore } = await import('@kcm/vault/sqlite');
  const target = await openSqliteBlobStore({ file, role: 'erasure' });
  try {
    await erasure.copyInto(target);
  } finally {
    await target.close();
  }
}

/** Whether a copy in a file, that nobody has open, holds something at or under a path. */
export async function copyHolds(file: string, path: string): Promise<boolean> {
  const { openSqliteBlobStore } = await import('@kcm/vault/sqlite');
  const copy = await openSqliteBlobStore({ file, role: 'erasure' });
  try {
    return (await copy.list(path)).length > 0;
  } finally {
    await copy.close();
  }
}
