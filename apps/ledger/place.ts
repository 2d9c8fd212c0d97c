import { existsSync, linkSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemRandom } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { type Config, openEngines, readConfig, syncFolder } from '@kcm/platform';
import { MoveRefused } from './refusal.js';

const SETTINGS = ['KCM_DATA_DIR', 'KCM_LEDGER', 'KCM_VAULT', 'KCM_DIRECTORY'];

/** Where the ledger is, from the environment of any of the programs. @throws KcmError */
export function placeOf(env: NodeJS.ProcessEnv): Config {
  const ours = SETTINGS.flatMap((name) => [name, `${name}_FILE`]);
  return readConfig(Object.fromEntries(ours.map((name) => [name, env[name]])));
}

/**
 * The ledger that is there, closed again afterwards. A ledger in a folder is nobody else's
 * meanwhile.
 * @throws MoveRefused no_ledger · FolderLocked · what opening or the work throws
 */
export async function withLedger<T>(place: Config, work: (ledger: Ledger) => Promise<T>) {
  const { KCM_DATA_DIR: folder } = place;
  if (isEmbedded(place) && !existsSync(join(folder, FILE)))
    throw new MoveRefused('no_ledger', `${resolve(folder)} has no ${FILE}: is KCM_DATA_DIR right?`);
  return opened(place, work);
}

/**
 * A new ledger. In a folder it has its name when the work is done, never before: no server can open
 * a part of it. At a server it is there from the first event on.
 * @throws MoveRefused ledger_not_empty · FolderLocked · what opening or the work throws
 */
export async function withNewLedger<T>(place: Config, work: (ledger: Ledger) => Promise<T>) {
  if (!isEmbedded(place)) return opened(place, work);
  const folder = resolve(place.KCM_DATA_DIR);
  assertNone(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, 'ledger.import');
  const result = await opened({ ...place, KCM_DATA_DIR: draft }, work).catch((error: unknown) => {
    if (!(error instanceof MoveRefused) || error.code !== 'ledger_not_empty') throw error;
    throw new MoveRefused(error.code, `${error.message} An import that was cut: remove ${draft}.`);
  });
  try {
    linkSync(join(draft, FILE), join(folder, FILE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') assertNone(folder);
    throw error;
  }
  syncFolder(folder);
  rmSync(draft, { recursive: true });
  return result;
}

const FILE = 'ledger.db';
const isEmbedded = ({ KCM_LEDGER: url }: Config): boolean => url === 'sqlite:';

async function opened<T>(place: Config, work: (ledger: Ledger) => Promise<T>): Promise<T> {
  const engines = await openEngines(place, systemRandom, ['ledger']);
  try {
    return await work(engines.ledger);
  } finally {
    await engines.close();
  }
}

function assertNone(folder: string): void {
  const there = ['', '-wal', '-shm'].map((end) => FILE + end);
  const found = there.find((file) => existsSync(join(folder, file)));
  if (found === undefined) return;
  throw new MoveRefused(
    'ledger_not_empty',
    `${folder} has a ${found}. Import into another folder, or move that ledger away.`,
  );
}
