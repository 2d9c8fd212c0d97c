import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Commands, type Refusals } from '@kcm/application';
import { eventCatalog } from '@kcm/domain';
import { inTurn } from '@kcm/kernel';
import type { FastifyInstance } from 'fastify';
import type { SealStatus } from '../auth/principal.js';
import { EnginesModule } from '../engines/engines.module.js';
import {
  type Fold,
  Health,
  isRelay,
  ReadAge,
  watchDoor,
  type WatchedDoor,
} from '../health/index.js';
import { createHttpApp } from '../http/http-app.js';
import { httpMetrics, type Metrics, watchFolds, watchProcess } from '../metrics/index.js';
import { PlatformModule } from '../platform.module.js';
import { type Door, watchedDoor } from './door.js';
import { type Endpoints, EndpointsFile } from './endpoints.js';
import { closeGround, type Ground } from './ground.js';

const TIDY_MS = 60_000;
type DoorGround = Ground<'ledger' | 'readModels' | 'directory'>;

/** What a process does besides answering over HTTP, in the order of its life. */
export interface ProgramPart {
  readonly modules: readonly DynamicModule[];
  readonly sealStatus: SealStatus;
  /** What it folds besides the live states. */
  folds(): readonly Fold[];
  /** The live states are there; nobody is answered yet. */
  begin(): Promise<void>;
  /** What can be wrong with it, and its figures. */
  watch(health: Health, door: WatchedDoor): void | Promise<void>;
  /** Routes besides those of its modules. */
  attach?(server: FastifyInstance): void;
  /** Commands can be run; nobody is answered yet. */
  run(): void;
  /** People are answered. @returns what stands in endpoints.json besides; null: it writes it itself */
  serve(http: string): Promise<Omit<Endpoints, 'http'> | null>;
  /** Steps of the end: before the door closes, behind it, and when no record is to come any more. */
  readonly ending: {
    readonly doors: readonly (() => unknown)[];
    readonly work: readonly (() => unknown)[];
    readonly folds: readonly (() => unknown)[];
    readonly last: readonly (() => unknown)[];
  };
}
/** What is there only once the HTTP application is, or concerns the process as a whole. */
export interface Late {
  readonly app: () => NestFastifyApplication;
  readonly commands: () => Commands;
  readonly endpoints: EndpointsFile;
  /** In order, and then with an exit code of its own. */
  readonly end: (why: string) => void;
}

function watchRefusals(metrics: Metrics, refusals: Refusals): void {
  metrics.total(
    'kcm_refusal_records_total',
    'Refused commands in the audit trail: recorded one by one, merged into a count, or lost.',
    () => Object.entries(refusals.counts).map(([outcome, count]) => [count, { outcome }]),
  );
}

@Module({})
class ProgramModule {}

/** A process that answers over HTTP: its start and its end. */
export class Program<P extends ProgramPart = ProgramPart> {
  readonly part: P;
  readonly #endpoints: EndpointsFile;
  #app: NestFastifyApplication | null = null;
  #http = '';
  #tidying: NodeJS.Timeout | null = null;
  #stopping: Promise<void> | null = null;

  constructor(
    private readonly ground: DoorGround,
    readonly door: Door,
    compose: (late: Late) => P,
  ) {
    this.#endpoints = new EndpointsFile(door.dataDir);
    this.part = compose({
      app: () => this.#app!,
      commands: () => this.#app!.get(Commands),
      endpoints: this.#endpoints,
      end: (why) => {
        ground.logger.fatal(why);
        void this.stop().finally(() => process.exit(1));
      },
    });
  }

  get http(): string {
    return this.#http;
  }

  /** When it throws, what was begun has been ended again. */
  async start(): Promise<this> {
    try {
      await this.#start();
      return this;
    } catch (error) {
      await this.stop().catch((also: unknown) =>
        this.ground.logger.error({ err: also }, 'did not stop cleanly'),
      );
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { config, logger, metrics, clock, random, tracing } = this.ground;
    const { states, oidc, reservations } = this.door;
    oidc?.start();
    states.start();
    await states.ready();
    await this.part.begin();
    const health = new Health((part, error) =>
      logger.error({ err: error, part }, 'a part cannot say how it is'),
    );
    const watched = watchedDoor(this.ground, this.door, () => this.part.folds());
    watchProcess(metrics, this.door.region);
    watchFolds(metrics, watched);
    watchRefusals(metrics, this.door.refusals);
    const { tracer } = tracing;
    const onAnswered = httpMetrics(metrics);
    const read = () => watched.folds().filter((fold) => !isRelay(fold));
    const age = new ReadAge(clock, watched.lags, read);
    const asOf = () => age.asOf();
    const http = { config, logger, random, clock, tracer, onAnswered, asOf };
    this.#app = await createHttpApp(this.#module(health), http);
    this.part.attach?.(this.#app.getHttpAdapter().getInstance());
    await this.part.watch(health, watched);
    watchDoor(health, watched);
    health.add('stored values', () => this.ground.damages.reasons());
    // Steps of processes are commands too: the bus must be there before the first one runs.
    await this.#app.init();
    this.part.run();
    await this.#app.listen(config.KCM_HTTP_PORT, config.KCM_BIND);
    this.#http = config.KCM_PUBLIC_URL ?? (await this.#app.getUrl());
    await reservations.sweep();
    this.#tidying = setInterval(() => void this.#tidy(), TIDY_MS).unref();
    const more = await this.part.serve(this.#http);
    if (more !== null) this.#endpoints.write({ http: this.#http, ...more });
  }

  /**
   * Resolves when nothing of it runs any more; what was acknowledged is stored.
   * @throws the first thing that did not stop as it should, once all else has
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { oidc, refusals, states } = this.door;
    const { doors, work, folds, last } = this.part.ending;
    if (this.#tidying !== null) clearInterval(this.#tidying);
    await inTurn([
      () => this.#endpoints.remove(),
      () => oidc?.stop(),
      ...doors,
      () => this.#app?.close(),
      ...work,
      () => refusals.flush(),
      ...folds,
      () => states.stop(),
      ...last,
      () => closeGround(this.ground),
    ]);
  }

  #module(health: Health): DynamicModule {
    const { config, engines, clock, random, tracing, metrics } = this.ground;
    const { region, boot, states, subjects, reservations, refusals, authenticator } = this.door;
    const { sealStatus } = this.part;
    const fence = (tenant: string | null) =>
      tenant === null ? { term: 0, epoch: 0 } : states.access(tenant);
    const platform = PlatformModule.register({
      config,
      clock,
      random,
      tracer: tracing.tracer,
      boot,
      deciders: { ledger: engines.ledger, catalog: eventCatalog, clock, region, fence },
      subjects,
      reservations,
      refusals,
      authenticator,
      sealStatus,
      health,
      metrics,
    });
    const stores = EnginesModule.register(engines);
    return { module: ProgramModule, imports: [stores, platform, ...this.part.modules] };
  }

  async #tidy(): Promise<void> {
    const { refusals, reservations } = this.door;
    await refusals.flush();
    await reservations
      .sweep()
      .catch((error: unknown) =>
        this.ground.logger.warn({ err: error }, 'reservations were not swept'),
      );
  }
}
