import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './finding.js';

const NODE_MAJOR_MIN = 24;
const FREE_BYTES_MIN = 200 * 2 ** 20;
const FREE_BYTES_GOOD = 2 * 2 ** 30;
const APART = ['ledger.db', 'vault.db', 'erasure.db'];
/** They hold nothing: whoever may not enter the folder does not see them either. */
const OPEN = /^(ca\.pem|lock\.db(-journal)?)$/;

/** @param version e.g. `24.21.0` */
export function nodeFindings(version: string): Finding[] {
  if (Number(version.split('.')[0]) >= NODE_MAJOR_MIN) return [];
  const detail = `this is Node ${version}; ${NODE_MAJOR_MIN} is what the product is tested on`;
  const next = 'run it by `npm start` and `npx kcm`: they bring their own';
  return [{ level: 'wrong', part: 'node', detail, next }];
}

/** @param bytes free for this user on the disk of the data folder */
export function diskFindings(bytes: number, dataDir: string): Finding[] {
  if (bytes >= FREE_BYTES_GOOD) return [];
  const level = bytes < FREE_BYTES_MIN ? 'wrong' : 'degraded';
  const detail = `${Math.floor(bytes / 2 ** 20)} MiB are free; a full disk refuses every write`;
  return [{ level, part: 'disk', detail, next: `make room on the disk of ${dataDir}` }];
}

/** What can be seen of a data folder without opening a file of it; none when it is not there. */
export function folderFindings(dataDir: string): Finding[] {
  if (!existsSync(dataDir)) return [];
  const { bavail, bsize } = statfsSync(dataDir);
  return [...privacy(dataDir), ...oneDisk(dataDir), ...diskFindings(bavail * bsize, dataDir)];
}

/** The folder, what lies in it, and the sockets: for this user alone. */
function privacy(dataDir: string): Finding[] {
  const edge = join(dataDir, 'edge');
  const inside = readdirSync(dataDir).filter((name) => !OPEN.test(name));
  const sockets = existsSync(edge) ? readdirSync(edge).map((name) => join('edge', name)) : [];
  return ['.', ...inside, ...sockets].flatMap((name): Finding[] => {
    const path = join(dataDir, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined || (stat.mode & 0o077) === 0) return [];
    const mode = (stat.mode & 0o777).toString(8);
    const detail = `others of this machine may reach it (mode ${mode})`;
    return [{ level: 'wrong', part: path, detail, next: `chmod go= ${path}` }];
  });
}

function oneDisk(dataDir: string): Finding[] {
  const paths = APART.map((name) => join(dataDir, name));
  const stats = paths.map((path) => statSync(path, { throwIfNoEntry: false }));
  if (stats.includes(undefined) || new Set(stats.map((stat) => stat!.dev)).size > 1) return [];
  const detail =
    'ledger, vault and erasure store share one: a shred is recoverable from an image of it';
  return [{ level: 'trial-grade', part: 'disk', detail, next: null }];
}
