import {
  BACKUP_FORMAT,
  type BackedUpValue,
  BackupDigests,
  type BackupHeader,
  type Exported,
  partOf,
} from '@kcm/application';
import { verifyEd25519 } from '@kcm/crypto';
import type { Json } from '@kcm/kernel';
import {
  type Checkpoint,
  extensionsOf,
  GrowingTree,
  leafOf,
  type NoteKey,
  openNote,
  originOf,
  parseCheckpoint,
} from '@kcm/transparency';
import { isEvent, type Line, linesOf, parsed } from './export-file.js';
import { MoveRefused } from './refusal.js';

/** What a whole backup holds. */
export interface BackupFacts {
  readonly region: string;
  readonly ledger: string;
  readonly takenAt: string;
  readonly events: number;
  readonly vault: number;
  readonly directory: number;
}
type Said = { readonly [name: string]: Json | undefined };

/**
 * Reads a backup to its end without believing any of it: what counts is the checkpoint, which its
 * owner kept elsewhere. The events are hashed again; they must come to the root that the checkpoint
 * names, and reach at least as far. What else is in the backup must be what the region signed.
 * @param note the text of the checkpoint: that of this backup, or a later one of the same log
 * @throws MoveRefused not_a_checkpoint · not_a_backup · backup_cut · backup_of_another
 *  · backup_older · backup_damaged
 */
export async function checkBackup(file: string, note: string): Promise<BackupFacts> {
  const pinned = pinnedOf(note);
  const reading = new Reading(file, pinned);
  for await (const line of linesOf(file, notABackup)) reading.line(line);
  return reading.end(note);
}

interface Pinned extends Checkpoint {
  readonly extensions: readonly string[];
}

function pinnedOf(note: string): Pinned {
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
  const checkpoint = parseCheckpoint(text);
  if (checkpoint === null) throw notACheckpoint('it is no signed checkpoint');
  return { ...checkpoint, extensions: extensionsOf(text) };
}

class Reading {
  readonly #digests = new BackupDigests();
  readonly #tree = new GrowingTree();
  readonly #counts = { events: 0, vault: 0, directory: 0 };
  #header: BackupHeader | null = null;
  #manifest: string | null = null;
  #signing: string | null = null;
  #rootThere: Buffer | null = null;

  constructor(
    private readonly file: string,
    private readonly pinned: Pinned,
  ) {
    this.#reached();
  }

  line({ text, whole }: Line): void {
    const said = parsed(text);
    if (this.#header === null) {
      if (!isHeader(said)) throw notABackup(this.file);
      this.#header = said;
      this.#assertOurs(said);
      return;
    }
    if (!whole) throw cut(this.file);
    if (this.#manifest !== null) throw damaged(this.file, 'something follows its last line');
    if (typeof said !== 'object' || said === null) throw damaged(this.file, 'a line is no JSON');
    const { manifest } = said as Said;
    if (typeof manifest === 'string') this.#manifest = manifest;
    else this.#part(said as Said, `${text}\n`);
  }

  /** @throws MoveRefused */
  end(note: string): BackupFacts {
    const { file, pinned } = this;
    const header = this.#header;
    if (header === null) throw notABackup(file);
    const manifest = this.#manifest;
    if (manifest === null) throw cut(file);
    const { size } = this.#tree;
    const key = this.#key();
    const text = openNote(manifest, key, verifyEd25519);
    const told = text === null ? null : parseCheckpoint(text);
    if (text === null || told === null) throw damaged(file, 'its manifest is not the region’s');
    const digests = this.#digests.lines(header.takenAt);
    const same =
      told.origin === pinned.origin &&
      told.size === size &&
      this.#tree.root().equals(told.root) &&
      digests.join('\n') === extensionsOf(text).join('\n');
    if (!same) throw damaged(file, 'it is not what its manifest says');
    if (openNote(note, key, verifyEd25519) === null)
      throw notACheckpoint('its signature is not that of the region');
    if (size < pinned.size) throw older(file, size, pinned.size);
    if (!this.#rootThere?.equals(pinned.root))
      throw damaged(file, 'its events are not those of the checkpoint');
    // The checkpoint of a backup is that backup's alone.
    if (pinned.extensions.length > 0 && pinned.size === size && note.trim() !== manifest.trim())
      throw damaged(file, 'the checkpoint is that of another backup');
    const { region, ledger, takenAt } = header;
    return { region, ledger, takenAt, ...this.#counts };
  }

  #part(said: Said, line: string): void {
    const part = partOf(said);
    this.#digests.told(part, line);
    if (part !== 'ledger') {
      if (!isValue(said)) throw damaged(this.file, `a value of the ${part} is none`);
      this.#counts[part] += 1;
    } else if (isEvent(said)) this.#event(said);
  }

  #event(event: Exported): void {
    this.#counts.events += 1;
    const { signing } = (event.data['keys'] ?? {}) as Said;
    if (event.type === 'RegionInitialized' && event.meta.origin === this.#header!.region)
      this.#signing ??= typeof signing === 'string' ? signing : null;
    if (event.meta.origin !== this.#header!.region) return;
    this.#tree.append(leafOf(event));
    this.#reached();
  }

  #reached(): void {
    if (this.#tree.size === this.pinned.size) this.#rootThere = this.#tree.root();
  }

  #key(): NoteKey {
    if (this.#signing === null) throw damaged(this.file, 'it knows no key of the region');
    return { name: this.pinned.origin, publicKey: Buffer.from(this.#signing, 'base64url') };
  }

  #assertOurs({ region, ledger }: BackupHeader): void {
    if (originOf(region, ledger) === this.pinned.origin) return;
    throw new MoveRefused(
      'backup_of_another',
      `${this.file} is of ${originOf(region, ledger)}, and the checkpoint of ${this.pinned.origin}.`,
    );
  }
}

/** The lines of the ledger in a backup that was checked: an export of it. */
export async function* exportIn(file: string): AsyncGenerator<string, void, undefined> {
  let first = true;
  for await (const { text } of linesOf(file, notABackup)) {
    const said = first ? null : (parsed(text) as Said | null);
    first = false;
    if (said !== null && said['manifest'] === undefined && partOf(said) === 'ledger')
      yield `${text}\n`;
  }
}

/** The values of a store in a backup that was checked. */
export async function* valuesIn(file: string): AsyncGenerator<BackedUpValue, void, undefined> {
  for await (const { text } of linesOf(file, notABackup)) {
    const said = parsed(text) as Said | null;
    if (said !== null && isValue(said)) yield said;
  }
}

function isHeader(said: unknown): said is BackupHeader {
  const { format, region, ledger, takenAt } = (said ?? {}) as Partial<BackupHeader>;
  return (
    format === BACKUP_FORMAT &&
    [region, ledger, takenAt].every((text) => typeof text === 'string' && !/\s/.test(text))
  );
}

const isValue = (said: unknown): said is BackedUpValue => {
  const { store, key, bytes } = said as Partial<BackedUpValue>;
  return (
    (store === 'vault' || store === 'directory') &&
    typeof key === 'string' &&
    typeof bytes === 'string' &&
    Buffer.from(bytes, 'base64').toString('base64') === bytes
  );
};

const notABackup = (file: string) =>
  new MoveRefused('not_a_backup', `${file} is no backup (${BACKUP_FORMAT}).`);
const notACheckpoint = (what: string) =>
  new MoveRefused(
    'not_a_checkpoint',
    `The checkpoint is not to be believed: ${what}. Give the one that was kept apart.`,
  );
const cut = (file: string) =>
  new MoveRefused('backup_cut', `${file} ends before its last line. Take the whole file.`);
const damaged = (file: string, what: string) =>
  new MoveRefused('backup_damaged', `${file} is not what was backed up: ${what}.`);
const older = (file: string, size: number, wanted: number) =>
  new MoveRefused(
    'backup_older',
    `${file} has ${size} events of its region, and the checkpoint is of ${wanted}: what happened ` +
      'after it was taken, a kill included, would be forgotten. Take the newest backup; to go back ' +
      'all the same give the checkpoint of this one.',
  );
