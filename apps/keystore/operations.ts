import type { Random } from '@kcm/kernel';
import { type Binding, type KeyMaterial, unwrap, versionIn, wrap } from './cipher.js';
import { DELETION_DAYS, type KeyRecord, type Keys, sha256Hex } from './keys.js';
import { Refusal } from './refusal.js';

export type Body = { readonly [field: string]: unknown };
export interface Request {
  readonly operation: string;
  /** Name or id; null where the operation has none. */
  readonly key: string | null;
  readonly token: string | null;
  readonly body: Body;
}
/** Filled in as far as the request got, for the audit file. */
export interface Trace {
  identity: string;
  keyId: string | null;
  binding: Binding | null;
}
type Answer = { readonly [field: string]: unknown };

const PLAINTEXT_BYTES_MAX = 4096;
const BLOB_BYTES_MAX = PLAINTEXT_BYTES_MAX + 64;

/** What the keystore does for holders of an access token and, apart from them, for its owner. */
export class Operations {
  constructor(
    private readonly keystoreId: string,
    private readonly adminTokenHash: string,
    private readonly keys: Keys,
    private readonly random: Random,
  ) {}

  /** @throws Refusal unauthenticated · forbidden · access_withdrawn · key_* · bad_request */
  async use(request: Request, trace: Trace): Promise<Answer> {
    const holder = request.token === null ? null : await this.keys.holderOf(request.token);
    if (holder === null) throw new Refusal('unauthenticated', 'The token is not known here.');
    trace.identity = `token ${holder.entry.label} ${holder.entry.id}`;
    const key = await this.keys.find(request.key ?? '');
    trace.keyId = key.id;
    if (holder.key.id !== key.id) throw new Refusal('forbidden', 'The token is not for this key.');
    if (holder.entry.access === 'withdrawn')
      throw new Refusal('access_withdrawn', 'The access of this token has been withdrawn.');
    assertUsable(key);
    if (request.operation === 'describe') return this.#view(key);
    const binding = bindingOf(request.body['binding']);
    trace.binding = binding;
    return request.operation === 'wrap'
      ? this.#wrap(materialOf(key, key.version), request.body, binding)
      : this.#unwrap(key, request.body, binding);
  }

  /** @throws Refusal unauthenticated · key_* · already_exists · bad_request */
  async administer(request: Request, trace: Trace): Promise<Answer> {
    if (request.token === null || sha256Hex(request.token) !== this.adminTokenHash)
      throw new Refusal('unauthenticated', 'Only the owner of this keystore may do that.');
    trace.identity = 'admin';
    const { operation, body } = request;
    if (operation === 'list') return { items: (await this.keys.all()).map((k) => this.#view(k)) };
    if (operation === 'create') {
      const key = await this.keys.create(textOf(body, 'name') ?? '');
      trace.keyId = key.id;
      const access = await this.keys.issueToken(key.id, textOf(body, 'label') ?? 'openkcm');
      return { ...this.#view(key), tokenId: access.id, token: access.token };
    }
    const key = await this.keys.find(request.key ?? '');
    trace.keyId = key.id;
    switch (operation) {
      case 'disable':
        return this.#view(await this.keys.disable(key.id));
      case 'enable':
        return this.#view(await this.keys.enable(key.id));
      case 'rotate':
        return this.#view(await this.keys.rotate(key.id));
      case 'delete':
        return this.#view(await this.keys.delete(key.id, daysOf(body)));
      case 'withdraw':
        return this.#view(await this.keys.setAccess(key.id, textOf(body, 'tokenId'), 'withdrawn'));
      case 'allow':
        return this.#view(await this.keys.setAccess(key.id, textOf(body, 'tokenId'), 'allowed'));
      case 'tokens': {
        const access = await this.keys.issueToken(key.id, textOf(body, 'label') ?? 'openkcm');
        return { id: key.id, tokenId: access.id, token: access.token };
      }
      default:
        throw new Refusal('no_such_route', 'There is no such operation.');
    }
  }

  #wrap(key: KeyMaterial, body: Body, binding: Binding): Answer {
    const plaintext = plaintextOf(body);
    const ciphertext = wrap(key, plaintext, binding, this.random).toString('base64');
    plaintext.fill(0);
    return { id: key.id, version: key.version, ciphertext };
  }

  #unwrap(record: KeyRecord, body: Body, binding: Binding): Answer {
    const ciphertext = base64Of(body['ciphertext']);
    if (ciphertext === null || ciphertext.length > BLOB_BYTES_MAX)
      throw new Refusal('integrity_failed', 'That is no blob of this keystore.');
    const key = materialOf(record, versionIn(ciphertext));
    const plain = unwrap(key, ciphertext, binding);
    const plaintext = plain.toString('base64');
    plain.fill(0);
    return { id: key.id, version: key.version, plaintext };
  }

  #view({ id, name, algorithm, version, state, createdAt, deleteAt, tokens }: KeyRecord): Answer {
    const access = tokens.map((entry) => ({
      id: entry.id,
      label: entry.label,
      access: entry.access,
    }));
    const { keystoreId } = this;
    return { keystoreId, id, name, algorithm, version, state, createdAt, deleteAt, access };
  }
}

function assertUsable({ state, material }: KeyRecord): void {
  if (state === 'disabled') throw new Refusal('key_disabled', 'The key is disabled.');
  if (state === 'pending-deletion')
    throw new Refusal('key_pending_deletion', 'The key is scheduled for deletion.');
  if (state === 'deleted' || material === null)
    throw new Refusal('key_deleted', 'The key has been deleted.');
}

/** @throws Refusal integrity_failed: there is no such version */
function materialOf({ id, material, earlier = [] }: KeyRecord, version: number): KeyMaterial {
  const text = [...earlier, material][version - 1] ?? null;
  if (text === null) throw new Refusal('integrity_failed', 'That is no blob of this key.');
  return { id, version, material: Buffer.from(text, 'base64') };
}

function bindingOf(value: unknown): Binding {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    const { tenant, key, version } = value as Body;
    const texts = [tenant, key].every((t) => typeof t === 'string' && /^[\w.-]{1,128}$/.test(t));
    if (texts && Number.isSafeInteger(version) && Number(version) >= 0)
      return { tenant: String(tenant), key: String(key), version: Number(version) };
  }
  throw new Refusal('bad_request', 'binding must be {tenant, key, version}.');
}

/** null for anything but canonical base64. */
function base64Of(value: unknown): Buffer | null {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : null;
  return bytes?.toString('base64') === value ? bytes : null;
}

function plaintextOf(body: Body): Buffer {
  const bytes = base64Of(body['plaintext']);
  if (bytes === null || bytes.length === 0 || bytes.length > PLAINTEXT_BYTES_MAX)
    throw new Refusal('bad_request', 'plaintext must be base64 of 1 to 4096 bytes.');
  return bytes;
}

function textOf(body: Body, name: string): string | null {
  const value = body[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || !/^[\w./ -]{1,256}$/.test(value))
    throw new Refusal('bad_request', `${name} is not usable.`);
  return value;
}

/** `{days}` or `{immediate: true}`. */
function daysOf({ days = DELETION_DAYS.default, immediate = false }: Body): number {
  if (immediate === true) return 0;
  const whole = Number.isInteger(days) ? Number(days) : 0;
  if (immediate !== false || whole < DELETION_DAYS.min || whole > DELETION_DAYS.max)
    throw new Refusal('bad_request', 'days must be a whole number from 1 to 30.');
  return whole;
}
