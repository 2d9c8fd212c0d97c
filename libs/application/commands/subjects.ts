import { hmacHex } from '@kcm/crypto';
import { canonicalJson, type Json, LIMITS, type Random } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';

const PLATFORM = '_';
/** Names that the product's own acts have, and forms of ids: a person cannot appear as one. */
const RESERVED = /^(core|keystore|operator|anonymous)$|^(process|edge):|^sub-/;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * Names behind opaque ids. Events hold `sub-…` ids and fingerprints under a key of the tenant's own
 * in the directory; deleting the directory's entries leaves the ledger without personal data.
 */
export class Subjects {
  readonly #keys = new Map<string, Buffer>();
  readonly #known = new Set<string>();

  constructor(
    private readonly directory: BlobStore,
    private readonly random: Random,
  ) {}

  /** Opaque id of a subject; nothing is kept of it. */
  async opaque(tenant: string | null, subject: string): Promise<string> {
    const digest = Buffer.from(hmacHex(await this.#key(tenant), Buffer.from(subject)), 'hex');
    let id = 'sub-';
    for (let index = 0; index < 26; index += 1) id += BASE32[digest[index]! & 31];
    return id;
  }

  /**
   * Keeps the name behind an opaque id, so that `nameOf` finds it.
   * @param admit asked before somebody new is kept; what it throws is thrown
   */
  async remember(
    tenant: string | null,
    subject: string,
    id: string,
    admit: () => void = () => {},
  ): Promise<void> {
    const path = `subject/${tenant ?? PLATFORM}/${id}`;
    if (this.#known.has(path)) return;
    // Who is known needs no write: a full disk locks nobody out.
    if ((await this.directory.get(path)) === null) {
      admit();
      await this.directory.putIfAbsent(path, Buffer.from(JSON.stringify({ subject })));
    }
    this.#known.add(path);
    if (this.#known.size > LIMITS.rateBucketsMax)
      this.#known.delete(this.#known.values().next().value!);
  }

  /**
   * The subject's name; the opaque id itself when it is unknown, was forgotten, or would read like
   * an actor of our own.
   */
  async nameOf(tenant: string | null, id: string): Promise<string> {
    if (!id.startsWith('sub-')) return id;
    const bytes = await this.directory.get(`subject/${tenant ?? PLATFORM}/${id}`);
    if (bytes === null) return id;
    const { subject } = JSON.parse(bytes.toString('utf8')) as { subject: string };
    return RESERVED.test(subject) ? id : subject;
  }

  /** HMAC-SHA256 (hex) over the canonical form: never a plain hash, a body may hold a PIN. */
  async fingerprint(tenant: string | null, body: Json): Promise<string> {
    return hmacHex(await this.#key(tenant), Buffer.from(canonicalJson(body)));
  }

  async #key(tenant: string | null): Promise<Buffer> {
    const owner = tenant ?? PLATFORM;
    const cached = this.#keys.get(owner);
    if (cached) return cached;
    const path = `hmac/${owner}`;
    const known = await this.directory.get(path);
    if (known === null) await this.directory.putIfAbsent(path, this.random.bytes(32));
    const key = known ?? (await this.directory.get(path));
    if (key === null) throw new Error(`the directory lost ${path}`);
    this.#keys.set(owner, key);
    return key;
  }
}
