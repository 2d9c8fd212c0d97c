import type { Position, Scheduler } from '@kcm/kernel';
import type { Fold } from '@kcm/platform';
import type { Projection, ReadModelWriter } from '@kcm/read-models';

const LOOK_MS = 1_000;

/** How far the projector, another process, has folded each read model: looked up every second. */
export class ReadModelFolds {
  #folds: readonly Fold[] = [];
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(
    private readonly reader: Pick<ReadModelWriter, 'checkpoint'>,
    private readonly projections: readonly Projection<unknown>[],
    private readonly scheduler: Scheduler,
  ) {}

  now(): readonly Fold[] {
    return this.#folds;
  }

  /** Resolves after the first look. Never throws: what cannot be looked up is said to wait. */
  async start(): Promise<void> {
    this.#folds = await Promise.all(this.projections.map((each) => this.#look(each)));
    if (this.#stopped) return;
    this.#cancel = this.scheduler.after(LOOK_MS, () => void this.start());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #look({ name, version }: Projection<unknown>): Promise<Fold> {
    try {
      const checkpoint = await this.reader.checkpoint(name, version);
      return { name, position: checkpoint?.position ?? null, state: 'live' };
    } catch {
      const known: Position | null =
        this.#folds.find((fold) => fold.name === name)?.position ?? null;
      return { name, position: known, state: 'waiting' };
    }
  }
}
