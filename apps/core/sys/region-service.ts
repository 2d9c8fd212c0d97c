import { type CommandContext, type Commands, type Handled } from '@kcm/application';
import {
  type CeremonyAsk,
  type CeremonyStep,
  type CeremonyView,
  type CoreView,
  type OpenCustody,
  type Resealing,
  type SealProgress,
  type SealService,
} from '@kcm/custody';
import type { EventOf, RegionCommand } from '@kcm/domain';
import { commandIdOf, KcmError, type Recording, type StreamId, streamOf } from '@kcm/kernel';

export interface RegionHooks {
  /** Everything that needs the keys starts; the region serves when it resolves. */
  onUnsealed(custody: OpenCustody): Promise<void>;
  /** At once: what holds keys lets go of them. */
  onSealed(): void;
  /** Somebody wants it sealed: nothing opens it by itself. */
  onSealAsked(): void;
  /** Nobody sealed it, and it is to be opened: a keystore that keeps it is asked. */
  onWaiting(): void;
}
/** What the ledger says of the region, as it is told. */
export type RegionView = CoreView & {
  /** Called after each event of the region. Returns how to stop. */
  onRegion(listener: () => void): () => void;
};

/**
 * Init, unseal and seal as the outside sees them. What reduces access acts first and is recorded
 * when the ledger can; what grants access waits for its record.
 */
export class RegionService {
  readonly stream: StreamId;
  #deaf: () => void = () => {};

  constructor(
    readonly region: string,
    private readonly boot: string,
    private readonly seals: SealService,
    private readonly commands: Commands,
    private readonly view: RegionView,
    private readonly hooks: RegionHooks,
    private readonly resealing: Resealing,
    private readonly recording: Pick<Recording, 'add' | 'has'>,
  ) {
    this.stream = streamOf('region', region);
  }

  status() {
    const state = this.view.region();
    const { sealed, provided, threshold } = this.seals.progress(state);
    const initialized = state.status !== 'uninitialized';
    const shares = initialized ? state.config.shares : 0;
    return {
      initialized,
      sealed,
      seal: initialized ? state.config.seal : null,
      provided,
      threshold,
      shares,
      ceremony: this.seals.ceremony,
      keyring: sealed
        ? null
        : { entry: this.seals.custody().entry, resealing: this.resealing.view },
    };
  }

  /**
   * `keep` takes the shares before the record, so that no initialized region is without them.
   * @returns the shares, shown once · @throws wrong_state · invalid_request
   */
  async init(
    request: Parameters<SealService['init']>[1],
    context: CommandContext,
    keep: (shares: readonly string[]) => void = () => {},
  ): Promise<{ readonly shares: readonly string[]; readonly handled: Handled }> {
    const { config, shares } = await this.seals.init(this.view.region(), request);
    keep(shares);
    const handled = await this.#run({ kind: 'InitializeRegion', region: config }, context);
    if (handled.replayed) {
      throw new KcmError('wrong_state', 'This region was initialized; its shares are shown once.');
    }
    await this.view.reached(handled.position!);
    this.hooks.onWaiting();
    return { shares, handled };
  }

  /** @throws wrong_state · share_refused · integrity · ledger_unavailable (sealed again) */
  async unseal(share: string, context: CommandContext): Promise<SealProgress> {
    const progress = await this.seals.unseal(this.view.region(), share);
    if (progress.opened) await this.#opened(context);
    return progress;
  }

  /** @throws wrong_state · integrity · that of the keystore’s refusal · ledger_unavailable */
  async unsealByKeystore(context: CommandContext): Promise<void> {
    const { opened } = await this.seals.unsealByKeystore(this.view.region());
    if (opened) await this.#opened(context);
  }

  async #opened(context: CommandContext): Promise<void> {
    try {
      const { position } = await this.#run({ kind: 'RecordUnsealed', boot: this.boot }, context);
      if (position !== null) await this.view.reached(position);
      this.#deaf = this.view.onRegion(() => this.#heard());
      await this.hooks.onUnsealed(this.seals.custody());
      await this.#tidy(context);
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Of a change of the seal that a crash left half done: the vault has it, the ledger or we not. */
  async #tidy(context: CommandContext): Promise<void> {
    const { entry } = this.seals.custody();
    const region = this.view.region();
    if (entry > FIRST_ENTRY && region.status !== 'uninitialized') {
      const commandId = commandIdOf([context.commandId, 'entry', String(entry)]);
      const { setId } = region.config;
      await this.#run({ kind: 'RecordKeyringRotated', setId, entry }, { ...context, commandId });
      this.resealing.start();
    }
    void this.seals.eraseRetired(this.view.region());
  }

  /**
   * Another process of this region sealed it, or writes with a key that this one lacks: it has to
   * open its keyring anew.
   */
  #heard(): void {
    const state = this.view.region();
    if (this.seals.sealed || state.status === 'uninitialized') return;
    const behind = (state.entry ?? FIRST_ENTRY) > this.seals.custody().entry;
    if (state.status === 'sealed') this.hooks.onSealAsked();
    else if (!behind) return;
    this.#close();
    if (state.status !== 'sealed') this.hooks.onWaiting();
  }

  /** @throws sealed · wrong_state · invalid_request */
  beginCeremony(ask: CeremonyAsk): Promise<CeremonyView> {
    return this.seals.beginCeremony(this.view.region(), ask);
  }

  /** @throws wrong_state · share_refused · rate_limited · integrity · ledger_unavailable */
  async provide(
    ceremony: string,
    share: string,
    context: CommandContext,
  ): Promise<{ readonly step: CeremonyStep; readonly handled: Handled | null }> {
    const step = await this.seals.provideTo(ceremony, share);
    if (step.record === null) return { step, handled: null };
    const handled = await this.#run(step.record, context).catch((error: unknown) => {
      // Another process replaced the shares: the key that writes here is in no keyring that counts.
      if (step.record?.kind === 'RecordKeyringRotated' && isWrongState(error)) this.#close();
      throw error;
    });
    if (handled.position !== null) await this.view.reached(handled.position);
    if (step.record.kind === 'RecordKeyringRotated') this.resealing.start();
    else void this.seals.eraseRetired(this.view.region());
    return { step, handled };
  }

  cancelCeremony(): void {
    this.seals.cancelCeremony();
  }

  reset(): Promise<SealProgress> {
    return this.seals.reset(this.view.region());
  }

  /** Sealed when it is called; recorded when it resolves, or later when the ledger can. */
  async seal(context: CommandContext): Promise<void> {
    this.hooks.onSealAsked();
    this.#close();
    const { actor, commandId } = context;
    const act = { act: 'seal', tenant: null, actor, commandId };
    await this.#recordSealed(context, false).catch(() => {
      if (this.recording.has('seal')) return;
      this.recording.add('seal', act, () => this.#recordSealed(context, true));
    });
  }

  /** @throws wrong_state when the region was unsealed meanwhile: a later record would be untrue */
  async #recordSealed(context: CommandContext, late: boolean): Promise<void> {
    if (!this.seals.sealed) throw new KcmError('wrong_state', 'The region was unsealed again.');
    await this.#run({ kind: 'RecordSealed', boot: this.boot, late }, context);
  }

  record(command: RegionCommand, context: CommandContext): Promise<Handled<EventOf<'region'>>> {
    return this.#run(command, context);
  }

  #close(): void {
    this.#deaf();
    this.resealing.stop();
    this.seals.seal();
    this.hooks.onSealed();
  }

  #run(command: RegionCommand, context: CommandContext): Promise<Handled<EventOf<'region'>>> {
    return this.commands.run('region', this.stream, command, { ...context, tenant: null });
  }
}

const FIRST_ENTRY = 1;

const isWrongState = (error: unknown): boolean =>
  error instanceof KcmError && error.code === 'wrong_state';
