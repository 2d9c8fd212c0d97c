import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { type Clock, systemRandom } from '@kcm/kernel';
import {
  assertPrivateFolder,
  type Config,
  type Engines,
  openEngines,
  syncFolder,
} from '@kcm/platform';
import type { BlobStore } from '@kcm/vault';
import { type BackupFacts, checkBackup, exportIn, valuesIn } from './backup-file.js';
import { type Told, writeWhole } from './export-ledger.js';
import { importLedger } from './import-ledger.js';
import { MoveRefused } from './refusal.js';

export interface Restored extends BackupFacts {
  /** The ledger that goes on. */
  readonly to: string;
  readonly tenants: number;
  /** What has to be put there before a start. */
  readonly missing: readonly string[];
}
/** Left out of every backup, so they may be there before. */
const NOT_OURS = ['erasure.db', 'erasure-copy', 'erasure-backups', 'unseal-key', 'lost+found'];
const DRAFT = 'restore.part';
/** The ledger last: without it no server starts on the others. */
const FILES = ['vault.db', 'directory.db', 'ledger.db'];
/** Puts and appends that share a commit. */
const AT_ONCE = 256;

/**
 * Makes new stores from a backup that was checked against a checkpoint: files of a data folder, or
 * what is empty at the servers that the settings name. The ledger has a new id, and the term of each
 * tenant is raised in it: no holder takes an answer of before. No file has its name before all of
 * them are there.
 * @throws MoveRefused · FolderLocked · what the stores throw
 */
export async function restoreBackup(
  place: Config,
  file: string,
  note: string,
  clock: Clock,
  told: Told = () => {},
): Promise<Restored> {
  const folder = resolve(place.KCM_DATA_DIR);
  assertEmpty(folder);
  const facts = await checkBackup(file, note);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  assertPrivateFolder(folder);
  const draft = join(folder, DRAFT);
  rmSync(draft, { recursive: true, force: true });
  const imported = await fill({ ...place, KCM_DATA_DIR: draft }, draft, file, clock, told);
  for (const name of FILES)
    if (existsSync(join(draft, name))) renameSync(join(draft, name), join(folder, name));
  syncFolder(folder);
  rmSync(draft, { recursive: true });
  const missing = ['erasure.db', 'unseal-key'].filter((name) => !existsSync(join(folder, name)));
  return { ...facts, to: imported.ledger, tenants: imported.tenants, missing };
}

async function fill(place: Config, draft: string, file: string, clock: Clock, told: Told) {
  const engines = await openEngines(place, systemRandom, ['ledger', 'vault', 'directory']);
  try {
    await assertNothingThere(engines);
    await putAll(engines, file);
    const exported = join(draft, 'ledger.export');
    await writeExport(exported, file);
    // A server keeps the order of what is sent together in no promise.
    const atOnce = place.KCM_LEDGER === 'sqlite:' ? AT_ONCE : 1;
    const imported = await importLedger(engines.ledger, exported, clock, told, atOnce);
    rmSync(exported);
    return imported;
  } finally {
    await engines.close();
  }
}

/** Of files it is so; what is at a server may be another region's. */
async function assertNothingThere(
  engines: Pick<Engines, 'ledger' | 'vault' | 'directory'>,
): Promise<void> {
  const { ledger, vault, directory } = engines;
  const taken = [
    ...((await ledger.head()) === null ? [] : ['the ledger']),
    ...((await vault.list('')).length === 0 ? [] : ['the vault']),
    ...((await directory.list('')).length === 0 ? [] : ['the directory']),
  ];
  if (taken.length === 0) return;
  throw new MoveRefused(
    'store_not_empty',
    `${taken.join(' and ')} at the server that the settings name has something: restore into an ` +
      'empty database. What a restore that was cut left there has to be dropped first.',
  );
}

async function putAll(
  stores: { readonly vault: BlobStore; readonly directory: BlobStore },
  file: string,
): Promise<void> {
  let waiting: Promise<void>[] = [];
  for await (const { store, key, bytes } of valuesIn(file)) {
    waiting.push(stores[store].put(key, Buffer.from(bytes, 'base64')));
    if (waiting.length < AT_ONCE) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  await Promise.all(waiting);
}

async function writeExport(path: string, file: string): Promise<void> {
  const out = openSync(path, 'wx', 0o600);
  try {
    for await (const line of exportIn(file)) writeWhole(out, line);
    fsyncSync(out);
  } finally {
    closeSync(out);
  }
}

function assertEmpty(folder: string): void {
  if (!existsSync(folder)) return;
  const found = readdirSync(folder).filter((name) => name !== DRAFT && !NOT_OURS.includes(name));
  if (found.length === 0) return;
  throw new MoveRefused(
    'folder_not_empty',
    `${folder} has ${found.slice(0, 5).join(', ')}: restore into an empty folder. Beside the ` +
      `backup there may be ${NOT_OURS.slice(0, 4).join(', ')} alone.`,
  );
}
