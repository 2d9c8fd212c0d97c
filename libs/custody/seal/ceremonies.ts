import type { Secret } from '@kcm/crypto';
import type { RegionCommand } from '@kcm/domain';
import { KcmError } from '@kcm/kernel';
import { keyringPath } from './keyring.js';
import { masterPath } from './keystore-seal.js';
import { type NewSeal, sealing } from './new-seal.js';
import type { OpenCustody } from './open-custody.js';
import { keystoreOf, masterBy, openKeyring, type SealParts } from './opening.js';
import type { InitializedRegion } from './seal-config.js';
import type { ShareCollector } from './shares/collector.js';
import type { SetRequest } from './shares/share-set.js';
import { ShareTaking } from './shares/share-taking.js';

/** `rekey`: another MasterKey and shares of its own; `rotate`: another entry of the keyring. */
export type CeremonyAsk =
  | ({ readonly kind: 'rekey'; readonly seal?: 'shamir' | 'keystore' | undefined } & SetRequest)
  | { readonly kind: 'rotate' };
export interface CeremonyView {
  readonly id: string;
  readonly kind: CeremonyAsk['kind'];
  /** Whose shares are asked for: those that count now, or (rekey) the new ones, to prove them. */
  readonly stage: 'authorize' | 'verify';
  readonly setId: string;
  readonly provided: number;
  readonly threshold: number;
}
/** What one share brought about. */
export interface CeremonyStep {
  /** Null: it is over, and `record` is to be recorded. */
  readonly ceremony: CeremonyView | null;
  /** The new shares, in the answer that begins their proof: shown once, kept nowhere. */
  readonly shares: readonly string[] | null;
  readonly record: RegionCommand | null;
}
type Ceremony = {
  readonly id: string;
  readonly region: InitializedRegion;
} & (
  | { readonly kind: 'rotate' }
  | {
      readonly kind: 'rekey';
      readonly make: Awaited<ReturnType<typeof sealing>>;
      readonly next: null;
    }
  | { readonly kind: 'rekey'; readonly next: NewSeal['config'] }
);

/**
 * Changes of the seal, each by a quorum of the shares that count: one at a time, gone when nobody
 * goes on. Until the new shares are proved the old ones count, so that none are lost on the way.
 */
export class Ceremonies {
  readonly #taking: ShareTaking;
  #now: Ceremony | null = null;

  constructor(
    private readonly parts: SealParts,
    private readonly custody: () => OpenCustody,
  ) {
    this.#taking = new ShareTaking(parts.region, parts, () => this.end());
  }

  get view(): CeremonyView | null {
    if (this.#now === null) return null;
    const { id, kind } = this.#now;
    const { setId, threshold } = setOf(this.#now);
    const stage = kind === 'rekey' && this.#now.next !== null ? 'verify' : 'authorize';
    return { id, kind, stage, setId, provided: this.#taking.provided, threshold };
  }

  /** @throws KcmError sealed · wrong_state (another one is held) · invalid_request, by field */
  async begin(region: InitializedRegion, ask: CeremonyAsk): Promise<CeremonyView> {
    this.custody();
    if (this.#now !== null)
      throw new KcmError('wrong_state', `A ${this.#now.kind} is held already: cancel it first.`);
    const id = this.parts.random.bytes(8).toString('hex');
    if (ask.kind === 'rotate') this.#now = { id, region, kind: 'rotate' };
    else {
      const { seal = region.config.seal, shares, threshold, recipients } = ask;
      if (seal === 'auto')
        throw new KcmError(
          'wrong_state',
          'An unseal key beside the data has no shares to replace.',
        );
      const make = await sealing(this.parts, seal, { shares, threshold, recipients });
      this.#now = { id, region, kind: 'rekey', make, next: null };
    }
    return this.view!;
  }

  /**
   * Takes one share for the ceremony of that id; the last one that it takes acts.
   * @throws KcmError wrong_state (another ceremony, or none) · share_refused · rate_limited ·
   * integrity · that of the keystore’s refusal
   */
  async provide(id: string, share: string): Promise<CeremonyStep> {
    const held = this.#now;
    if (held === null || held.id !== id)
      throw new KcmError('wrong_state', `No ceremony ${id} is held: it was cancelled, or is over.`);
    const { retired = [], config } = held.region;
    const proving = held.kind === 'rekey' && held.next !== null;
    const ended = proving ? [...retired, config.setId] : retired;
    const shares = this.#taking.take(setOf(held), ended, share);
    if (shares === null) return { ceremony: this.view, shares: null, record: null };
    return this.#taking.use(shares, () => this.#act(held, shares));
  }

  /** Nothing is changed; new shares that were shown open nothing. */
  end(): void {
    this.#taking.letGo();
    const held = this.#now;
    this.#now = null;
    if (held?.kind === 'rekey' && held.next !== null) void this.#erase(held.next.setId);
  }

  /** After it is recorded: what the shares of before open is erased. Never throws. */
  async ended(sets: readonly string[]): Promise<void> {
    for (const setId of sets) await this.#erase(setId);
  }

  async #act(held: Ceremony, shares: ShareCollector): Promise<CeremonyStep> {
    if (held.kind === 'rotate') return this.#over(await this.#rotate(held, shares), held);
    if (held.next !== null) return this.#over(await this.#prove(held, held.next, shares), held);
    await this.#assertQuorum(held, shares);
    const { config } = held.region;
    const generation = (held.region.retired?.length ?? 0) + 2;
    const made = await this.custody().sealAnew((ring) =>
      held.make(ring, config.keys.signing, generation),
    );
    this.#assertHeld(held);
    const { id, region, kind } = held;
    this.#now = { id, region, kind, next: made.config };
    return { ceremony: { ...this.view!, provided: 0 }, shares: made.shares, record: null };
  }

  /** Each share of a set was proved by its digest; those of `auto` show themselves at the keyring. */
  async #assertQuorum({ region }: Ceremony, shares: ShareCollector): Promise<void> {
    if (region.config.seal === 'keystore') return;
    using master = await masterBy(this.parts, region.config, shares.values());
    await this.#adoptStored(region, master);
  }

  /**
   * What is sealed next holds every key that the vault's keyring has: another process of the region
   * may have rotated, and this one not have heard of it yet.
   */
  async #adoptStored({ config }: InitializedRegion, master: Secret): Promise<void> {
    using stored = await openKeyring(this.parts, config, master);
    this.custody().adopt(stored);
  }

  async #rotate({ region }: Ceremony, shares: ShareCollector): Promise<RegionCommand> {
    const { vault, random } = this.parts;
    const { setId } = region.config;
    using master = await masterBy(this.parts, region.config, shares.values());
    await this.#adoptStored(region, master);
    const entry = await this.custody().rotate((ring) =>
      vault.put(
        keyringPath(setId),
        ring.seal(master, random, { region: this.parts.region, setId }),
      ),
    );
    return { kind: 'RecordKeyringRotated', setId, entry };
  }

  /** The new shares do open what they are to open. */
  async #prove(
    { region }: Ceremony,
    next: NewSeal['config'],
    shares: ShareCollector,
  ): Promise<RegionCommand> {
    const config = { ...next, keys: region.config.keys };
    if (next.seal === 'keystore') keystoreOf(this.parts);
    using master = await masterBy(this.parts, config, shares.values());
    using keyring = await openKeyring(this.parts, config, master);
    const seal = next.seal === 'keystore' ? next.seal : 'shamir';
    const rekey = { ...next, seal, replaces: region.config.setId } as const;
    return { kind: 'RecordRekeyed', rekey, entry: keyring.newest };
  }

  #over(record: RegionCommand, held: Ceremony): CeremonyStep {
    this.#assertHeld(held);
    this.#now = null;
    return { ceremony: null, shares: null, record };
  }

  /** A seal or a cancel may have come while the vault or the keystore answered: it wins. */
  #assertHeld(held: Ceremony): void {
    if (this.#now !== held)
      throw new KcmError('wrong_state', `The ceremony ${held.id} was cancelled meanwhile.`);
  }

  async #erase(setId: string): Promise<void> {
    const { vault } = this.parts;
    const paths = [keyringPath(setId), masterPath(setId)];
    await Promise.allSettled(paths.map((path) => vault.erase(path)));
  }
}

const setOf = (held: Ceremony) =>
  held.kind === 'rekey' && held.next !== null ? held.next : held.region.config;
