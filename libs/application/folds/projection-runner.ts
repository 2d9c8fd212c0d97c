import { KcmError } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import {
  type ProjectionDeps,
  type ProjectionHealth,
  type Rebuilt,
  RunningProjection,
} from './running-projection.js';

/** Runs read models over the ledger: each on its own feed, so that one that stops stops alone. */
export class ProjectionRunner {
  readonly #running: ReadonlyMap<string, RunningProjection>;

  /** @throws RangeError for two projections of one name */
  constructor(deps: ProjectionDeps, projections: readonly Projection<unknown>[]) {
    this.#running = new Map(
      projections.map((each) => [each.name, new RunningProjection(deps, each)]),
    );
    if (this.#running.size < projections.length)
      throw new RangeError('two projections have the same name');
  }

  start(): void {
    for (const each of this.#running.values()) each.start();
  }
  /** Resolves when the batches under way are committed. */
  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((each) => each.stop()));
  }
  /** In the order of registration. */
  names(): readonly string[] {
    return [...this.#running.keys()];
  }
  health(): readonly ProjectionHealth[] {
    return [...this.#running.values()].map((each) => each.health());
  }
  /** As RunningProjection.rebuild. @throws KcmError not_found */
  async rebuild(name: string): Promise<Rebuilt> {
    const found = this.#running.get(name);
    if (found === undefined) throw new KcmError('not_found', 'There is no such read model.');
    return found.rebuild();
  }
}
