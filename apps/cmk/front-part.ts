import { KcmError, LIMITS, type Reason, readTextFile, systemScheduler } from '@kcm/kernel';
import { driversWithin } from '@kcm/keystores';
import {
  type Door,
  type Fold,
  type Ground,
  type Health,
  type Late,
  recordedSeal,
  type SealStatus,
  Upstream,
  type WatchedDoor,
} from '@kcm/platform';
import type { FastifyInstance } from 'fastify';
import { projections } from '@projections/all';
import { CmkPart } from './cmk-part.js';
import { CoreSeal } from './core-seal.js';
import { EventStreams } from './event-streams.js';
import { ReadModelFolds } from './read-model-folds.js';

const SEALED: Reason = {
  dependency: 'seal',
  level: 'unavailable',
  code: 'sealed',
  detail: 'the region is sealed, or was never initialized',
  next: 'kcm unseal --share - (a new region: kcm init)',
};
/** What is decided elsewhere, by whom: one address serves people the whole API. */
const OF_PROJECTOR = ['/v1/sys/projections'];
const OF_CORE = ['/v1/sys', '/v1/edges', '/v1/log'];

/**
 * The customers' door in a process of its own: Core and the projector answer behind it. While Core
 * does not, commands are taken and recorded all the same, locks first of all.
 */
export class FrontPart extends CmkPart {
  readonly #core: Upstream;
  readonly #projector: Upstream;
  readonly #folds: ReadModelFolds;
  readonly #seal: CoreSeal;

  constructor(
    { config, engines }: Pick<Ground<'ledger' | 'readModels'>, 'config' | 'engines'>,
    private readonly door: Door,
    private readonly late: Late,
  ) {
    super(door, driversWithin(config.KCM_EGRESS_ALLOW), null);
    const ca = config.KCM_TLS_CA === undefined ? null : readTextFile(config.KCM_TLS_CA);
    const upstream = (name: string, url: string | undefined, answerMsMax: number) => {
      if (url === undefined)
        throw new KcmError('invalid_request', `Where ${name} is, is not told.`);
      return new Upstream({ name, url: new URL(url), ca, answerMsMax });
    };
    this.#folds = new ReadModelFolds(engines.readModels, projections, systemScheduler);
    this.#core = upstream('Core', config.KCM_CORE_URL, LIMITS.httpForwardMsMax);
    this.#projector = upstream('the projector', config.KCM_PROJECTOR_URL, LIMITS.rebuildMsMax);
    this.#seal = new CoreSeal(this.#core, recordedSeal(door), systemScheduler, () =>
      this.#endStreams(),
    );
  }

  override folds(): readonly Fold[] {
    return this.#folds.now();
  }

  override get sealStatus(): SealStatus {
    return this.#seal;
  }

  override async begin(): Promise<void> {
    await this.#folds.start();
    await this.#seal.start();
  }

  attach(server: FastifyInstance): void {
    this.#projector.serve(server, OF_PROJECTOR);
    this.#core.serve(server, OF_CORE);
  }

  override watch(health: Health, { clock }: WatchedDoor): void {
    health.add('seal', () => (this.#seal.sealed() ? [SEALED] : []));
    for (const upstream of [this.#core, this.#projector])
      health.add(upstream.neighbour.name, async () => {
        if (await upstream.answers(clock.monotonicMs())) return [];
        const { name, url } = upstream.neighbour;
        return [
          {
            dependency: name,
            level: 'degraded',
            code: 'no_answer',
            detail: `${name} at ${url.host} does not answer: what it decides is refused`,
            next: `look whether ${name} runs, and whether its address is the right one`,
          },
        ];
      });
  }

  /** Open event streams end with the seal. */
  override run(): void {
    this.door.states.onRegion(() => {
      this.#seal.changed();
      if (this.#seal.sealed()) this.#endStreams();
    });
  }

  #endStreams(): void {
    this.late.app()?.get(EventStreams, { strict: false }).endAll('the region is sealed');
  }

  override readonly ending = {
    doors: [],
    work: [() => this.#core.close(), () => this.#projector.close()],
    folds: [() => this.#folds.stop(), () => this.#seal.stop()],
    last: [],
  };
}
