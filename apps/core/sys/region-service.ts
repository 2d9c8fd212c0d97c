import { type CommandContext, type Commands, type Handled } from '@kcm/application';
import { type CoreView, type OpenCustody, type SealProgress, type SealService } from '@kcm/custody';
import type { EventOf, RegionCommand } from '@kcm/domain';
import { KcmError, type Recording, type StreamId, streamOf } from '@kcm/kernel';

export interface RegionHooks {
  /** Everything that needs the keys starts; the region serves when it resolves. */
  onUnsealed(custody: OpenCustody): Promise<void>;
  /** At once: what holds keys lets go of them. */
  onSealed(): void;
}

/**
 * Init, unseal and seal as the outside sees them. What reduces access acts first and is recorded
 * when the ledger can; what grants access waits for its record.
 */
export class RegionService {
  readonly stream: StreamId;

  constructor(
    readonly region: string,
    private readonly boot: string,
    private readonly seals: SealService,
    private readonly commands: Commands,
    private readonly view: CoreView,
    private readonly hooks: RegionHooks,
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
    return { shares, handled };
  }

  /** @throws wrong_state · share_refused · integrity · ledger_unavailable (sealed again) */
  async unseal(share: string, context: CommandContext): Promise<SealProgress> {
    const progress = await this.seals.unseal(this.view.region(), share);
    if (!progress.opened) return progress;
    try {
      await this.#run({ kind: 'RecordUnsealed', boot: this.boot }, context);
      await this.hooks.onUnsealed(this.seals.custody());
    } catch (error) {
      this.#close();
      throw error;
    }
    return progress;
  }

  reset(): Promise<SealProgress> {
    return this.seals.reset(this.view.region());
  }

  /** Sealed when it is called; recorded when it resolves, or later when the ledger can. */
  async seal(context: CommandContext): Promise<void> {
    this.#close();
    const { actor, commandId } = context;
    const act = { act: 'seal', tenant: null, actor, commandId };
    await this.#recordSealed(context).catch(() => {
      if (this.recording.has('seal')) return;
      this.recording.add('seal', act, () => this.#recordSealed(context));
    });
  }

  /** @throws wrong_state when the region was unsealed meanwhile: a later record would be untrue */
  async #recordSealed(context: CommandContext): Promise<void> {
    if (!this.seals.sealed) throw new KcmError('wrong_state', 'The region was unsealed again.');
    await this.#run({ kind: 'RecordSealed', boot: this.boot }, context);
  }

  record(command: RegionCommand, context: CommandContext): Promise<Handled<EventOf<'region'>>> {
    return this.#run(command, context);
  }

  #close(): void {
    this.seals.seal();
    this.hooks.onSealed();
  }

  #run(command: RegionCommand, context: CommandContext): Promise<Handled<EventOf<'region'>>> {
    return this.commands.run('region', this.stream, command, { ...context, tenant: null });
  }
}
