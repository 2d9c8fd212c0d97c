import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { unexpected } from '../answer.js';
import type { Client } from '../client.js';
import { EXIT, UsageError } from '../failures.js';
import { runMover } from '../mover.js';
import { declare, type Run } from '../program.js';

interface Backup {
  readonly out: string;
  readonly checkpoint: string;
}
interface Restore {
  readonly checkpoint: string;
  readonly quiet?: boolean;
}
/** The last line is a signed note: no longer than that. */
const LAST_BYTES_MAX = 64 * 1024;
const LINE_FEED = 0x0a;

export function backupCommands(program: Command): void {
  declare<Backup>(
    program,
    'backup',
    {
      summary: 'Back up ledger, vault and directory of the running region, without erasure keys',
      example: 'backup --out /backups/monday.kcm --checkpoint /elsewhere/monday.checkpoint',
    },
    (c) =>
      c
        .requiredOption(
          '--out <file>',
          'a new file: all that is needed but erasure keys and shares',
        )
        .requiredOption(
          '--checkpoint <file>',
          'a new file, to keep apart: what a restore believes',
        ),
    takeBackup,
  );
  declare<Restore>(
    program,
    'restore <file>',
    {
      summary: 'Make a new data folder (KCM_DATA_DIR) from a backup, while no server runs on it',
      example: 'restore /backups/monday.kcm --checkpoint /elsewhere/monday.checkpoint',
    },
    (c) => c.requiredOption('--checkpoint <file>', 'that of the backup, or a later one of its log'),
    async (_run, { checkpoint, quiet }, file) => {
      const more = quiet === true ? ['--quiet'] : [];
      process.exitCode = await runMover(['restore', file, checkpoint, ...more], 'inherit');
    },
  );
}

/** Both files have their names when the backup was read again and checked, never before. */
async function takeBackup({ client, settings, progress }: Run, { out, checkpoint }: Backup) {
  for (const [option, path] of Object.entries({ out, checkpoint })) {
    if (existsSync(path)) throw new UsageError(`--${option}: ${path} is there already.`);
    if (isWithin(settings.dataDir, path))
      throw new UsageError(
        `--${option}: ${path} lies in the data folder: it would be lost with it.`,
      );
  }
  if (resolve(out) === resolve(checkpoint))
    throw new UsageError('--checkpoint: it is kept apart from the backup, in a file of its own.');
  const [draft, note] = [`${out}.part`, `${checkpoint}.part`];
  try {
    const { bytes, manifest } = await progress.during('Backing up', () => received(client, draft));
    rmSync(note, { force: true });
    writeFileSync(note, manifest, { mode: 0o600, flag: 'wx', flush: true });
    if ((await runMover(['check', draft, note], 'ignore')) !== 0) {
      process.exitCode = EXIT.refused;
      return undefined;
    }
    linkSync(draft, out);
    linkSync(note, checkpoint);
    return { out, bytes, checkpoint };
  } finally {
    rmSync(draft, { force: true });
    rmSync(note, { force: true });
  }
}

async function received(client: Client, path: string) {
  rmSync(path, { force: true });
  const file = openSync(path, 'wx', 0o600);
  try {
    let bytes = 0;
    let last = Buffer.alloc(0);
    for await (const piece of client.bytes('/v1/sys/backup', 'application/vnd.openkcm.backup')) {
      for (let at = 0; at < piece.length;) at += writeSync(file, piece, at);
      bytes += piece.length;
      last = Buffer.concat([last, piece]).subarray(-LAST_BYTES_MAX);
    }
    fsyncSync(file);
    return { bytes, manifest: manifestIn(last) };
  } finally {
    closeSync(file);
  }
}

/** @throws Refused: the server did not come to the end */
function manifestIn(end: Buffer): string {
  const line = end.subarray(end.lastIndexOf(LINE_FEED, end.length - 2) + 1).toString('utf8');
  try {
    const { manifest } = JSON.parse(line) as { manifest?: unknown };
    if (typeof manifest === 'string' && end.at(-1) === LINE_FEED) return manifest;
  } catch {
    // It ends in the middle of something else.
  }
  throw unexpected('the backup was cut before its end: its log says why; take it again');
}

const isWithin = (folder: string, path: string): boolean => {
  const way = relative(resolve(folder), resolve(path));
  return way !== '' && !way.startsWith('..');
};
