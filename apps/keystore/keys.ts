import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Random, rfc3339, Turns, uuidv4 } from '@kcm/kernel';
import { jsonFilesOf, ownFolder, writeAtomic } from './files.js';
import { Refusal } from './refusal.js';

export type KeyState = 'enabled' | 'disabled' | 'pending-deletion' | 'deleted';
export interface AccessToken {
  readonly id: string;
  readonly label: string;
  /** SHA-256, hex; the token itself is shown once. */
  readonly sha256: string;
  readonly access: 'allowed' | 'withdrawn';
}
/** One key as its file holds it. `material` is base64, null once deleted. */
export interface KeyRecord {
  readonly format: 1;
  readonly id: string;
  readonly name: string;
  readonly algorithm: 'AES-256-GCM';
  readonly version: number;
  readonly state: KeyState;
  readonly createdAt: string;
  readonly deleteAt: string | null;
  readonly material: string | null;
  /** Of earlier versions, the first first: they unwrap what they wrapped. */
  readonly earlier?: readonly string[];
  readonly tokens: readonly AccessToken[];
}

const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DAY_MS = 86_400_000;
export const DELETION_DAYS = { min: 1, default: 7, max: 30 } as const;

export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');
const sameHex = (a: string, b: string): boolean =>
  timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));

/** The keys, each in its own file (0600). Read from disk at every use; changed one at a time. */
export class Keys {
  readonly #changes = new Turns();

  private constructor(
    private readonly folder: string,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  static async open(folder: string, clock: Clock, random: Random): Promise<Keys> {
    const own = join(folder, 'keys');
    await ownFolder(own);
    return new Keys(own, clock, random);
  }

  async all(): Promise<KeyRecord[]> {
    const records: KeyRecord[] = [];
    for (const name of await jsonFilesOf(this.folder)) {
      const record = JSON.parse(await readFile(join(this.folder, name), 'utf8')) as KeyRecord;
      records.push(this.#due(record));
    }
    return records;
  }

  /**
   * By id, else by name: the key in use, else the one deleted last. @throws Refusal key_not_found
   */
  async find(ref: string): Promise<KeyRecord> {
    const all = await this.all();
    const named = all.filter(({ name }) => name === ref);
    const found =
      all.find(({ id }) => id === ref) ??
      named.find(({ state }) => state !== 'deleted') ??
      named.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0];
    if (found === undefined) throw new Refusal('key_not_found', 'There is no such key.');
    return found;
  }

  /** The key and entry of an access token; null for one that no key knows. */
  async holderOf(token: string): Promise<{ key: KeyRecord; entry: AccessToken } | null> {
    const digest = sha256Hex(token);
    for (const key of await this.all())
      for (const entry of key.tokens) if (sameHex(entry.sha256, digest)) return { key, entry };
    return null;
  }

  /** @throws Refusal already_exists · bad_request */
  create(name: string): Promise<KeyRecord> {
    return this.#changes.take(async () => {
      if (!KEY_NAME.test(name)) throw new Refusal('bad_request', 'That is not a key name.');
      const taken = (await this.all()).some((key) => key.name === name && key.state !== 'deleted');
      if (taken) throw new Refusal('already_exists', 'A key of this name is in use.');
      const material = this.random.bytes(32);
      const record: KeyRecord = {
        format: 1,
        id: uuidv4(this.random),
        name,
        algorithm: 'AES-256-GCM',
        version: 1,
        state: 'enabled',
        createdAt: rfc3339(this.clock.wallMs()),
        deleteAt: null,
        material: material.toString('base64'),
        tokens: [],
      };
      material.fill(0);
      return this.#save(record);
    });
  }

  /** A new access token for this key alone; told here and never again. */
  async issueToken(ref: string, label: string): Promise<{ id: string; token: string }> {
    const token = `kst_${this.random.bytes(32).toString('base64url')}`;
    const id = uuidv4(this.random);
    const entry: AccessToken = { id, label, sha256: sha256Hex(token), access: 'allowed' };
    await this.#change(ref, (key) => ({ ...key, tokens: [...key.tokens, entry] }));
    return { id, token };
  }

  disable(ref: string): Promise<KeyRecord> {
    return this.#change(ref, (key) => ({ ...key, state: 'disabled', deleteAt: null }));
  }

  /** Also takes back a scheduled deletion. */
  enable(ref: string): Promise<KeyRecord> {
    return this.#change(ref, (key) => ({ ...key, state: 'enabled', deleteAt: null }));
  }

  /** A new version: it wraps from now on. @throws Refusal key_disabled */
  rotate(ref: string): Promise<KeyRecord> {
    return this.#change(ref, (key) => {
      if (key.state !== 'enabled' || key.material === null)
        throw new Refusal('key_disabled', 'Only an enabled key is rotated.');
      const earlier = [...(key.earlier ?? []), key.material];
      const next = this.random.bytes(32);
      const material = next.toString('base64');
      next.fill(0);
      return { ...key, version: key.version + 1, material, earlier };
    });
  }

  /** After `days` the material is destroyed; 0: now. */
  delete(ref: string, days: number): Promise<KeyRecord> {
    const deleteAt = rfc3339(this.clock.wallMs() + days * DAY_MS);
    return this.#change(ref, (key) =>
      days === 0 ? erased(key, deleteAt) : { ...key, state: 'pending-deletion', deleteAt },
    );
  }

  /** `tokenId` null: every token of the key. @throws Refusal bad_request for an unknown token */
  setAccess(
    ref: string,
    tokenId: string | null,
    access: AccessToken['access'],
  ): Promise<KeyRecord> {
    return this.#change(ref, (key) => {
      if (tokenId !== null && !key.tokens.some(({ id }) => id === tokenId))
        throw new Refusal('bad_request', 'The key has no such token.');
      const tokens = key.tokens.map((entry) =>
        tokenId === null || entry.id === tokenId ? { ...entry, access } : entry,
      );
      return { ...key, tokens };
    });
  }

  #change(ref: string, to: (key: KeyRecord) => KeyRecord): Promise<KeyRecord> {
    return this.#changes.take(async () => {
      const key = await this.find(ref);
      if (key.state === 'deleted') throw new Refusal('key_deleted', 'The key has been deleted.');
      return this.#save(to(key));
    });
  }

  /** A deletion that has come due counts at once; its file follows behind the running changes. */
  #due(key: KeyRecord): KeyRecord {
    const { deleteAt } = key;
    const due = deleteAt !== null && Date.parse(deleteAt) <= this.clock.wallMs();
    if (key.state !== 'pending-deletion' || !due) return key;
    const gone = erased(key, deleteAt);
    this.#changes.take(() => this.#save(gone)).catch(() => undefined);
    return gone;
  }

  async #save(record: KeyRecord): Promise<KeyRecord> {
    await writeAtomic(this.folder, `${record.id}.json`, JSON.stringify(record, null, 2));
    return record;
  }
}

/** Every version goes. */
function erased(key: KeyRecord, deleteAt: string): KeyRecord {
  const gone: KeyRecord & { earlier?: unknown } = {
    ...key,
    state: 'deleted',
    deleteAt,
    material: null,
  };
  delete gone.earlier;
  return gone;
}
