import type { Secret } from '@kcm/crypto';
import type { RegionState } from '@kcm/domain';
import { KcmError, Turns } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';
import { Barrier } from './barrier.js';
import { BarrieredStore } from './barriered-store.js';
import {
  Ceremonies,
  type CeremonyAsk,
  type CeremonyStep,
  type CeremonyView,
} from './ceremonies.js';
import { Keyring } from './keyring.js';
import { type NewSeal, sealing } from './new-seal.js';
import type { OpenCustody } from './open-custody.js';
import { masterByKeystore, openCustody, type SealParts } from './opening.js';
import { createRegionSecrets, disposeRegionSecrets, storeRegionSecrets } from './region-secrets.js';
import { type InitializedRegion, initializedOf, type SealConfig } from './seal-config.js';
import { combineSecret } from './shares/shamir.js';
import type { SetRequest } from './shares/share-set.js';
import { ShareTaking } from './shares/share-taking.js';

/** `auto`: one share, which the caller keeps as the unseal key (trial-grade). */
export type InitRequest =
  ({ readonly seal: 'shamir' | 'keystore' } & SetRequest) | { readonly seal: 'auto' };
export interface Initialized {
  /** Data of the RegionInitialized event. */
  readonly config: SealConfig;
  /** As `ShareSet.texts`; for `auto` the one unseal key. Shown once, kept nowhere. */
  readonly shares: NewSeal['shares'];
}
export interface SealProgress {
  readonly sealed: boolean;
  readonly provided: number;
  readonly threshold: number;
  /** True in the answer of the one call that opened the region. */
  readonly opened: boolean;
}

/**
 * The seal of one region. It knows keys, not events: the caller appends RegionInitialized after
 * `init`, RegionUnsealed and RegionSealed, and hands in the region's state. One act at a time.
 */
export class SealService {
  #open: OpenCustody | null = null;
  readonly #taking: ShareTaking;
  readonly #ceremonies: Ceremonies;
  readonly #turns = new Turns();
  /** How often it was sealed: what was begun before ends. */
  #seals = 0;

  constructor(private readonly parts: SealParts) {
    this.#taking = new ShareTaking(parts.region, parts);
    this.#ceremonies = new Ceremonies(parts, () => this.custody());
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
   * @throws KcmError wrong_state, invalid_request (shares, threshold, recipients.i), or that of the
   * keystore’s refusal
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
    return this.#turns.take(() => this.#unseal(initializedOf(state), share));
  }

  /**
   * Opens a region whose MasterKey a keystore keeps.
   * @throws KcmError wrong_state; integrity (also: the blob is of another region, set or
   * generation); else that of the keystore’s refusal
   */
  unsealByKeystore(state: RegionState): Promise<SealProgress> {
    return this.#turns.take(() => this.#unsealByKeystore(initializedOf(state).config));
  }

  /** The change of the seal that is held; null: none. */
  get ceremony(): CeremonyView | null {
    return this.#ceremonies.view;
  }

  /** As `Ceremonies.begin`. */
  beginCeremony(state: RegionState, ask: CeremonyAsk): Promise<CeremonyView> {
    return this.#turns.take(() => this.#ceremonies.begin(initializedOf(state), ask));
  }

  /** As `Ceremonies.provide`; the caller records what it gives. */
  provideTo(ceremony: string, share: string): Promise<CeremonyStep> {
    return this.#turns.take(() => this.#ceremonies.provide(ceremony, share));
  }

  /** At once; nothing was changed. */
  cancelCeremony(): void {
    this.#ceremonies.end();
  }

  /** What the shares of ended sets open goes, now that the ledger says so. Never throws. */
  async eraseRetired(state: RegionState): Promise<void> {
    await this.#ceremonies.ended(initializedOf(state).retired ?? []);
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
    this.#seals += 1;
    this.#open?.dispose();
    this.#open = null;
    this.#taking.letGo();
    this.#ceremonies.end();
  }

  async #init(state: RegionState, request: InitRequest): Promise<Initialized> {
    if (state.status !== 'uninitialized')
      throw new KcmError('wrong_state', 'This region is initialized already.');
    const { region, vault, random, clock } = this.parts;
    const make = await sealing(this.parts, request.seal, request.seal === 'auto' ? AUTO : request);
    using keyring = Keyring.create(random);
    const { secrets, keys } = await createRegionSecrets(region, random, clock);
    try {
      const barrier = new Barrier(region, keyring, random);
      await storeRegionSecrets(new BarrieredStore(vault, () => barrier), secrets, keys);
      const { config, shares } = await make(keyring, keys.signing, FIRST_GENERATION);
      return { config: { ...config, keys }, shares };
    } finally {
      disposeRegionSecrets(secrets);
    }
  }

  async #unseal({ config, retired = [] }: InitializedRegion, share: string): Promise<SealProgress> {
    if (this.#open !== null) return this.#progressOf(config, false);
    if (config.seal === 'keystore')
      throw new KcmError('wrong_state', 'A keystore opens this region: its shares only authorise.');
    const shares = this.#taking.take(config, retired, share);
    if (shares === null) return this.#progressOf(config, false);
    await this.#taking.use(shares, () => this.#openBy(config, combineSecret(shares.values())));
    return this.#progressOf(config, true);
  }

  async #unsealByKeystore(config: SealConfig): Promise<SealProgress> {
    if (this.#open !== null) return this.#progressOf(config, false);
    await this.#openBy(config, masterByKeystore(this.parts, config));
    return this.#progressOf(config, true);
  }

  async #openBy(config: SealConfig, drawn: Promise<Secret>): Promise<void> {
    const seals = this.#seals;
    using master = await drawn;
    const open = await openCustody(this.parts, config, master);
    // A seal may have come while the vault or the keystore was asked: it wins.
    if (this.#seals !== seals) {
      open.dispose();
      throw new KcmError('sealed', 'The region was sealed meanwhile.');
    }
    this.#open = open;
  }

  #progressOf(config: SealConfig, opened: boolean): SealProgress {
    const { provided } = this.#taking;
    return { sealed: this.sealed, provided, threshold: config.threshold, opened };
  }
}

const AUTO = { shares: 1, threshold: 1 };
const FIRST_GENERATION = 1;
