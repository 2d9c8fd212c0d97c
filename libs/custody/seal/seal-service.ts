import { Secret } from '@kcm/crypto';
import type { RegionState } from '@kcm/domain';
import { KcmError, Turns, type Clock, type Random, type Scheduler } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';
import { Barrier } from './barrier.js';
import { BarrieredStore } from './barriered-store.js';
import { Keyring, keyringPath, WrongMasterKey } from './keyring.js';
import { OpenCustody } from './open-custody.js';
import {
  createRegionSecrets,
  disposeRegionSecrets,
  loadRegionSecrets,
  storeRegionSecrets,
} from './region-secrets.js';
import type { SealConfig } from './seal-config.js';
import type { ShareCollector } from './shares/collector.js';
import { combineSecret } from './shares/shamir.js';
import { type SetRequest, sharingOut } from './shares/share-set.js';
import { ShareTaking } from './shares/share-taking.js';
import { shareRefused } from './shares/share.js';

export interface SealParts {
  readonly region: string;
  /** As it is on disk; the service puts the barrier before it. */
  readonly vault: BlobStore;
  readonly random: Random;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
}
/** `auto`: one share, which the caller keeps as the unseal key (trial-grade). */
export type InitRequest = ({ readonly seal: 'shamir' } & SetRequest) | { readonly seal: 'auto' };
export interface Initialized {
  /** Data of the RegionInitialized event. */
  readonly config: SealConfig;
  /** As `ShareSet.texts`; for `auto` the one unseal key. Shown once, kept nowhere. */
  readonly shares: readonly string[];
}
export interface SealProgress {
  readonly sealed: boolean;
  readonly provided: number;
  readonly threshold: number;
  /** True in the answer of the one call that opened the region. */
  readonly opened: boolean;
}
const MASTER_BYTES = 32;

/**
 * The seal of one region. It knows keys, not events: the caller appends RegionInitialized after
 * `init`, RegionUnsealed and RegionSealed, and hands in the region's state. One act at a time.
 */
export class SealService {
  #open: OpenCustody | null = null;
  readonly #taking: ShareTaking;
  readonly #turns = new Turns();

  constructor(private readonly parts: SealParts) {
    this.#taking = new ShareTaking(parts.region, parts);
  }

  get sealed(): boolean {
    return this.#open === null;
  }

  /** @throws KcmError sealed */
  custody(): OpenCustody {
    if (this.#open === null) throw new KcmError('sealed', 'This region is sealed.');
    return this.#open;
  }

  /** A store behind the barrier; while sealed its put and get throw KcmError sealed. */
  barriered(store: BlobStore): BarrieredStore {
    return new BarrieredStore(store, () => this.custody().barrier);
  }

  /**
   * Draws a region's keys and stores them; durable when it resolves, sealed still. It names nothing
   * that an earlier init stored, so one whose event was never recorded can be repeated.
   * @throws KcmError wrong_state, invalid_request (shares, threshold, recipients.i)
   */
  init(state: RegionState, request: InitRequest): Promise<Initialized> {
    return this.#turns.take(() => this.#init(state, request));
  }

  /**
   * Takes one share; the one that completes the threshold opens the region.
   * @throws KcmError wrong_state before init; share_refused (by name and cause, nothing is taken);
   * rate_limited after too many of those; integrity when the vault does not hold what the ledger
   * says (all shares are let go)
   */
  unseal(state: RegionState, share: string): Promise<SealProgress> {
    return this.#turns.take(() => this.#unseal(configOf(state), share));
  }

  /** Lets go of the shares provided so far. */
  reset(state: RegionState): Promise<SealProgress> {
    return this.#turns.take(async () => {
      this.#taking.letGo();
      return this.progress(state);
    });
  }

  progress(state: RegionState): SealProgress {
    const threshold = state.status === 'uninitialized' ? 0 : state.config.threshold;
    const { provided } = this.#taking;
    return { sealed: this.sealed, provided, threshold, opened: false };
  }

  /** At once and without waiting: keys and shares are filled with zeros. */
  seal(): void {
    this.#open?.dispose();
    this.#open = null;
    this.#taking.letGo();
  }

  async #init(state: RegionState, request: InitRequest): Promise<Initialized> {
    if (state.status !== 'uninitialized')
      throw new KcmError('wrong_state', 'This region is initialized already.');
    const { region, vault, random, clock } = this.parts;
    const shareOut = await sharingOut(request.seal === 'auto' ? AUTO : request);
    const setId = random.bytes(8).toString('hex');
    using master = Secret.own(random.bytes(MASTER_BYTES));
    using keyring = Keyring.create(random);
    const { secrets, keys } = await createRegionSecrets(region, random, clock);
    try {
      const barrier = new Barrier(region, keyring, random);
      await storeRegionSecrets(new BarrieredStore(vault, () => barrier), secrets, keys);
      await vault.put(keyringPath(setId), keyring.seal(master, random, { region, setId }));
    } finally {
      disposeRegionSecrets(secrets);
    }
    const { texts, ...set } = await shareOut(region, setId, master);
    const shareDigests = request.seal === 'auto' ? [] : set.shareDigests;
    return { config: { seal: request.seal, setId, ...set, shareDigests, keys }, shares: texts };
  }

  async #unseal(config: SealConfig, share: string): Promise<SealProgress> {
    if (this.#open !== null) return this.#progressOf(config, false);
    const shares = this.#taking.take(config, share);
    if (shares === null) return this.#progressOf(config, false);
    await this.#taking.use(shares, async () => {
      const open = await this.#openWith(config, shares);
      // A seal may have come while the vault was read: it wins.
      if (!this.#taking.holds(shares)) {
        open.dispose();
        throw new KcmError('sealed', 'The region was sealed meanwhile.');
      }
      this.#open = open;
    });
    return this.#progressOf(config, true);
  }

  async #openWith(config: SealConfig, collector: ShareCollector): Promise<OpenCustody> {
    const { region, vault, random, clock } = this.parts;
    const { setId } = config;
    const path = keyringPath(setId);
    using master = await combineSecret(collector.values());
    const blob = await vault.get(path);
    if (blob === null) throw new KcmError('integrity', `${path} is not in the vault.`);
    const keyring = openKeyring(master, blob, region, config);
    try {
      const barrier = new Barrier(region, keyring, random);
      const store = new BarrieredStore(vault, () => barrier);
      const secrets = await loadRegionSecrets(store, config.keys);
      return new OpenCustody(region, config.keys, keyring, secrets, random, clock);
    } catch (refusal) {
      keyring.dispose();
      throw refusal;
    }
  }

  #progressOf(config: SealConfig, opened: boolean): SealProgress {
    const { provided } = this.#taking;
    return { sealed: this.sealed, provided, threshold: config.threshold, opened };
  }
}

const AUTO = { shares: 1, threshold: 1 };

function configOf(state: RegionState): SealConfig {
  if (state.status === 'uninitialized')
    throw new KcmError('wrong_state', 'This region is not initialized yet.');
  return state.config;
}

function openKeyring(
  master: Secret,
  blob: Uint8Array,
  region: string,
  { seal, setId }: SealConfig,
): Keyring {
  try {
    return Keyring.open(master, blob, { region, setId });
  } catch (refusal) {
    if (!(refusal instanceof WrongMasterKey)) throw refusal;
    // Shares of a Shamir set were each proved by digest, so it is the keyring that is wrong.
    if (seal === 'shamir') throw new KcmError('integrity', `${keyringPath(setId)} is damaged.`);
    throw shareRefused('wrong_key', 'The unseal key is not the one of this region.');
  }
}
