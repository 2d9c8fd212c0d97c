import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { KcmError, type Random } from '@kcm/kernel';
import type { FilteredFeed, Ledger, ProvableLedger } from '@kcm/ledger';
import type { LogStore } from '@kcm/origin-log';
import type { ReadModelReader, ReadModelWatcher, ReadModelWriter } from '@kcm/read-models';
import type { BlobStore } from '@kcm/vault';
import type { Config } from '../config.js';
import { assertPrivateFolder } from './private-folder.js';

/** The stores behind the ports. */
export interface Engines {
  readonly ledger: Ledger & FilteredFeed & ProvableLedger;
  readonly readModels: ReadModelReader & ReadModelWriter & ReadModelWatcher;
  readonly vault: BlobStore;
  readonly erasure: BlobStore;
  readonly directory: BlobStore;
  readonly log: LogStore;
  /** All of them, in the reverse order of their opening. */
  close(): Promise<void>;
}

/**
 * Opens the embedded engines in KCM_DATA_DIR; what was opened is closed again when a later one
 * fails. @throws FolderLocked (another process has the data folder) · KcmError invalid_request (others
 * may write in it) · the engines' own errors
 * @param onCommit told of each transaction of the ledger
 * @param onLost a sync of a file failed: the process must end, and not close the engines
 */
export async function openEngines(
  config: Config,
  random: Random,
  onCommit: (appends: number, ms: number) => void = () => {},
  onLost: (error: KcmError) => void = () => {},
): Promise<Engines> {
  const dir = resolve(config.KCM_DATA_DIR);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  assertPrivateFolder(dir);
  const [
    { openSqliteLedger },
    { openSqliteReadModels },
    { openSqliteBlobStore },
    { openSqliteLogStore },
  ] = await Promise.all([
    import('@kcm/ledger/sqlite'),
    import('@kcm/read-models/sqlite'),
    import('@kcm/vault/sqlite'),
    import('@kcm/origin-log/sqlite'),
  ]);
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(engine: T): T => {
    opened.unshift(engine);
    return engine;
  };
  const close = async () => {
    for (const engine of opened.splice(0)) await engine.close();
  };
  const blobs = async (role: 'vault' | 'erasure' | 'directory') =>
    keep(
      await advised(openSqliteBlobStore({ file: join(dir, `${role}.db`), role, onLost }), BACKUP),
    );
  try {
    return {
      ledger: keep(
        await advised(
          openSqliteLedger({ file: join(dir, 'ledger.db'), random, onCommit, onLost }),
          BACKUP,
        ),
      ),
      readModels: keep(
        await advised(
          openSqliteReadModels({ file: join(dir, 'read-models.db'), onLost }),
          rebuild('read-models.db'),
        ),
      ),
      vault: await blobs('vault'),
      erasure: await blobs('erasure'),
      directory: await blobs('directory'),
      log: keep(
        await advised(openSqliteLogStore({ file: join(dir, 'log.db'), onLost }), rebuild('log.db')),
      ),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const BACKUP = 'Put the last backup of it back, with what belongs to it (docs/running.md, Backup).';
const rebuild = (file: string) =>
  `Delete ${file} with its -wal and -shm and start again: it is built from the ledger.`;

/** What is damaged is said with what to do about it. */
async function advised<T>(opening: Promise<T>, advice: string): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof KcmError) || error.code !== 'integrity') throw error;
    throw new KcmError('integrity', `${error.message} ${advice}`, { cause: error });
  }
}
