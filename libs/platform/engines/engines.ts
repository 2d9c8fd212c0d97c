import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { KcmError, type Random } from '@kcm/kernel';
import type { FilteredFeed, Ledger, ProvableLedger } from '@kcm/ledger';
import type { LogStore } from '@kcm/origin-log';
import type { ReadModelReader, ReadModelWatcher, ReadModelWriter } from '@kcm/read-models';
import type { Publisher } from '@kcm/messaging';
import type { BlobStore, Copies } from '@kcm/vault';
import type { Config } from '../config.js';
import { addressOf } from './address.js';
import { openErasure } from './erasure.js';
import { openOutbox } from './outbox.js';
import { assertPrivateFolder } from './private-folder.js';

/** The stores behind the ports. */
export interface Engines {
  readonly ledger: Ledger & FilteredFeed & ProvableLedger;
  readonly readModels: ReadModelReader & ReadModelWriter & ReadModelWatcher;
  readonly vault: BlobStore;
  readonly erasure: Copies;
  readonly directory: BlobStore;
  readonly log: LogStore;
  /** Where the events of the region are sent to; null: nowhere. */
  readonly outbox: { readonly publisher: Publisher | null };
}
export type EngineName = keyof Engines;
/** Some of the engines, as one process needs them. */
export type Opened<N extends EngineName = EngineName> = Pick<Engines, N> & {
  /** All of them, in the reverse order of their opening. */
  close(): Promise<void>;
};

export interface OpeningHooks {
  /** Told of each transaction of the embedded ledger. */
  readonly onCommit: (appends: number, ms: number) => void;
  /** A sync of a file failed: the process must end, and not close the engines. */
  readonly onLost: (error: KcmError) => void;
  /** Messaging goes on by itself and somebody should know. */
  readonly onMessaging: (error: unknown) => void;
  /** A blob was asked for and is not what was stored; the error names file and path. */
  readonly onDamaged: (error: KcmError) => void;
  /** Around each opening: who waits for a server tries again here. */
  readonly patience: <T>(open: () => Promise<T>) => Promise<T>;
}
const SILENT: OpeningHooks = {
  onCommit: () => {},
  onLost: () => {},
  onMessaging: () => {},
  onDamaged: () => {},
  patience: (open) => open(),
};

/**
 * Opens the engines that a process needs where the configuration says: files in KCM_DATA_DIR, or
 * servers. What was opened is closed again when a later one fails.
 * @throws FolderLocked (another process has the data folder) · KcmError invalid_request (others may
 * write in it; a wrong address) · ledger_unavailable (a server) · the engines' own errors
 */
export async function openEngines<N extends EngineName>(
  config: Config,
  random: Random,
  needed: readonly N[],
  given: Partial<OpeningHooks> = {},
): Promise<Opened<N>> {
  const hooks: OpeningHooks = { ...SILENT, ...given };
  const dir = resolve(config.KCM_DATA_DIR);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  assertPrivateFolder(dir);
  const opened: Closing[] = [];
  const close = async () => {
    for (const engine of opened.splice(0)) await engine.close();
  };
  const engines: Partial<Record<EngineName, unknown>> = {};
  try {
    for (const name of needed) {
      const engine = await hooks.patience(() => OPENERS[name]({ config, dir, random, hooks }));
      opened.unshift(engine);
      engines[name] = engine;
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { ...(engines as Pick<Engines, N>), close };
}

interface Closing {
  close(): Promise<void>;
}
type OnLost = OpeningHooks['onLost'];
interface Opening {
  readonly config: Config;
  readonly dir: string;
  readonly random: Random;
  readonly hooks: OpeningHooks;
}
const OPENERS: { readonly [N in EngineName]: (of: Opening) => Promise<Engines[N] & Closing> } = {
  ledger: ({ config, dir, random, hooks }) => openLedger(config, dir, random, hooks),
  readModels: ({ config, dir, hooks: { onLost } }) => openReadModels(config, dir, onLost),
  vault: (of) => openBlobs(of, 'vault'),
  erasure: ({ config, dir, random, hooks }) => openErasure(config, dir, random, hooks),
  directory: (of) => openBlobs(of, 'directory'),
  log: ({ dir, hooks: { onLost } }) => openLog(dir, onLost),
  outbox: ({ config, random, hooks }) => openOutbox(config, random, hooks.onMessaging),
};

async function openLedger(
  { KCM_LEDGER: url }: Config,
  dir: string,
  random: Random,
  { onCommit, onLost }: OpeningHooks,
): Promise<Engines['ledger'] & Closing> {
  if (url !== EMBEDDED) {
    const { openEventStoreLedger } = await import('@kcm/ledger/eventstoredb');
    return told('KCM_LEDGER', url, openEventStoreLedger({ url, random }));
  }
  const { openSqliteLedger } = await import('@kcm/ledger/sqlite');
  const file = join(dir, 'ledger.db');
  return advised(openSqliteLedger({ file, random, onCommit, onLost }), BACKUP);
}

async function openReadModels(
  { KCM_READ_MODELS: url }: Config,
  dir: string,
  onLost: OnLost,
): Promise<Engines['readModels'] & Closing> {
  if (url !== EMBEDDED) {
    const { openMongoReadModels } = await import('@kcm/read-models/mongodb');
    return told('KCM_READ_MODELS', url, openMongoReadModels({ url }));
  }
  const { openSqliteReadModels } = await import('@kcm/read-models/sqlite');
  const file = join(dir, 'read-models.db');
  return advised(openSqliteReadModels({ file, onLost }), rebuild('read-models.db'));
}

const BLOB_SETTING = { vault: 'KCM_VAULT', directory: 'KCM_DIRECTORY' } as const;

async function openBlobs(
  { config, dir, hooks: { onLost, onDamaged } }: Opening,
  role: keyof typeof BLOB_SETTING,
): Promise<BlobStore & Closing> {
  const url = config[BLOB_SETTING[role]];
  if (url !== EMBEDDED) {
    const { openMongoBlobStore } = await import('@kcm/vault/mongodb');
    return told(BLOB_SETTING[role], url, openMongoBlobStore({ url, role }));
  }
  const { openSqliteBlobStore } = await import('@kcm/vault/sqlite');
  const file = join(dir, `${role}.db`);
  return advised(openSqliteBlobStore({ file, role, onLost, onDamaged }), BACKUP);
}

async function openLog(dir: string, onLost: OnLost): Promise<LogStore & Closing> {
  const { openSqliteLogStore } = await import('@kcm/origin-log/sqlite');
  return advised(openSqliteLogStore({ file: join(dir, 'log.db'), onLost }), rebuild('log.db'));
}

const EMBEDDED = 'sqlite:';
const BACKUP = 'Put the last backup of it back, with what belongs to it (docs/running.md, Backup).';
const rebuild = (file: string) =>
  `Delete ${file} with its -wal and -shm and start again: it is built from the ledger.`;

/** Of a server it is said which setting named it, and where it is; never who we are there. */
async function told<T>(setting: string, url: string, opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof KcmError)) throw error;
    throw new KcmError(error.code, `${setting} (${addressOf(url)}): ${error.message}`, {
      cause: error,
    });
  }
}

/** What is damaged is said with what to do about it. */
async function advised<T>(opening: Promise<T>, advice: string): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof KcmError) || error.code !== 'integrity') throw error;
    throw new KcmError('integrity', `${error.message} ${advice}`, { cause: error });
  }
}
