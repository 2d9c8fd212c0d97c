import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExportLines } from '@kcm/application';
import { KcmError } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { syncFolder } from '@kcm/platform';
import { MoveRefused } from './refusal.js';

/** Told now and then how many events are done. */
export type Told = (events: number) => void;

/**
 * Writes everything that the ledger holds. The file has its name (0600) when it is whole and
 * durable, never before.
 * @throws MoveRefused file_exists · KcmError · what reading or writing throws
 */
export async function exportLedger(
  ledger: Ledger,
  file: string,
  told: Told = () => {},
): Promise<{ readonly ledger: string; readonly events: number }> {
  if (existsSync(file)) throw taken(file);
  const draft = `${file}.part`;
  rmSync(draft, { force: true });
  const out = openSync(draft, 'wx', 0o600);
  const lines = new ExportLines();
  try {
    try {
      writeWhole(out, lines.header(ledger.id));
      for await (const item of ledger.feed('start', new AbortController().signal)) {
        if (item.kind === 'caughtUp') break;
        if (item.kind !== 'events') continue;
        writeWhole(out, item.events.map((event) => lines.event(event)).join(''));
        told(lines.events);
      }
      writeWhole(out, lines.end());
      fsyncSync(out);
    } finally {
      closeSync(out);
    }
    named(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
  return { ledger: ledger.id, events: lines.events };
}

/** Gives a finished file its name, and takes nobody else's. @throws MoveRefused file_exists */
function named(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw taken(file);
    throw error;
  }
  syncFolder(dirname(file));
}

/** A write may take a part only. */
export function writeWhole(out: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    const written = writeSync(out, bytes, at);
    if (written === 0) throw new KcmError('internal', 'Nothing more is written to the file.');
    at += written;
  }
}

const taken = (file: string) =>
  new MoveRefused('file_exists', `${file} is there already: give another name, or remove it.`);
