import { resolve, join } from 'node:path';
import { writeFileSync } from 'node:fs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  type CommandContext,
  Commands,
  ProcessHost,
  ProjectionRunner,
  Refusals,
  Reservations,
  StreamStates,
  Subjects,
} from '@kcm/application';
import { type ActContext, type OpenCustody, SealService } from '@kcm/custody';
import { eventCatalog, type Recorded } from '@kcm/domain';
import {
  type Clock,
  commandIdOf,
  type Random,
  systemClock,
  systemRandom,
  systemScheduler,
  uuidv4,
} from '@kcm/kernel';
import { DriverRegistry, EgressGuard, LOOPBACK_CIDRS } from '@kcm/keystores';
import {
  type Config,
  createHttpApp,
  createLogger,
  type Engines,
  EnginesModule,
  Health,
  openEngines,
  PlatformModule,
  readConfig,
} from '@kcm/platform';
import { type Effect, processes, type Step } from '@kcm/processes';
import { projections } from '@projections/all';
import type { Logger } from 'pino';
import { CmkModule } from '../cmk/index.js';
import {
  CoreModule,
  CoreRuntime,
  type CoreStep,
  operatorToken,
  RegionAuthenticator,
  RegionService,
} from '../core/index.js';
import { EndpointsFile } from './endpoints.js';
import { watchHealth } from './health.js';
import { LocalEdge } from './local-edge.js';
import { StandaloneModule } from './standalone.module.js';
import { keepUnsealKey, readUnsealKey } from './unseal-key.js';

/** What the composition of a test may put in the place of the machine. */
export interface Surroundings {
  readonly clock?: Clock;
  readonly random?: Random;
}
const TIDY_MS = 60_000;
const EFFECTS: ReadonlySet<string> = new Set<Effect['kind']>([
  'connectRootKey',
  'probeRootKey',
  'createL2',
  'createL3',
  'rotateL3',
  'closeCalls',
  'shred',
  'issueReceipt',
]);
const isEffect = (step: Step): step is Effect => EFFECTS.has(step.kind);

/** The whole product in one process, on the embedded engines. */
export class Standalone {
  readonly dataDir: string;
  readonly #boot: string;
  readonly #states: StreamStates;
  readonly #runner: ProjectionRunner;
  readonly #host: ProcessHost;
  readonly #refusals: Refusals;
  readonly #subjects: Subjects;
  readonly #reservations: Reservations;
  readonly #seals: SealService;
  readonly #core: CoreRuntime;
  readonly #edge: LocalEdge;
  readonly #endpoints: EndpointsFile;
  #app: NestFastifyApplication | null = null;
  #http = '';
  #tidying: NodeJS.Timeout | null = null;
  #stopping: Promise<void> | null = null;

  constructor(
    private readonly config: Config,
    private readonly engines: Engines,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly logger: Logger,
  ) {
    const { ledger, vault, directory, readModels } = engines;
    const region = config.KCM_REGION;
    this.dataDir = resolve(config.KCM_DATA_DIR);
    this.#boot = uuidv4(random);
    this.#endpoints = new EndpointsFile(this.dataDir);
    const feeds = { ledger, catalog: eventCatalog, scheduler: systemScheduler, random };
    const report = (name: string, error: unknown, state: string) =>
      logger.error({ err: error, name, state }, 'a fold of the ledger stands still');
    this.#states = new StreamStates({
      ...feeds,
      region,
      report: (error, state) => report('core-view', error, state),
      observe: (event) => this.#core.keys.observe(event as unknown as Recorded),
    });
    const stores = { ...feeds, writer: readModels, reader: readModels, report };
    this.#runner = new ProjectionRunner(stores, projections);
    this.#host = new ProcessHost(
      {
        ...stores,
        clock,
        execute: (step, { process, subject, item, cause }) =>
          this.#execute(step, {
            actor: `process:${process}`,
            tenant: subject.split('/', 1)[0]!,
            correlationId: cause.correlationId,
            causationId: cause.event,
            commandId: commandIdOf([process, subject, item, cause.event]),
          }),
        onFailed: (ref, error, attempts) =>
          logger.warn({ err: error, ...ref, attempts }, 'a step of a process is tried again'),
      },
      processes,
    );
    const lost = (error: unknown) => logger.error({ err: error }, 'a record was lost');
    this.#refusals = new Refusals(ledger, clock, random, systemScheduler, region, this.#boot, lost);
    this.#subjects = new Subjects(directory, random);
    this.#reservations = new Reservations(directory, clock);
    this.#seals = new SealService({ region, vault, random, clock });
    this.#core = new CoreRuntime({
      region,
      boot: this.#boot,
      host: config.KCM_BIND,
      kmipPort: config.KCM_KMIP_PORT,
      seal: config.KCM_SEAL,
      engines,
      catalog: eventCatalog,
      view: this.#states,
      seals: this.#seals,
      drivers: this.drivers,
      dispatch: (step, context) => this.#dispatch(step, context),
      clock,
      random,
      logger,
      // One machine: whoever keeps an image of the disk keeps every copy.
      shredWord: 'recoverable from a disk image',
      onReplaced: () => {
        logger.fatal('another process writes the journal of this one: stopping');
        void this.stop().finally(() => process.exit(1));
      },
    });
    this.#edge = new LocalEdge({
      region,
      services: config.KCM_EDGE_SERVICES,
      socketDir: join(this.dataDir, 'edge'),
      commands: () => this.#commands,
      custody: () => this.#seals.custody(),
      directory,
      view: this.#states,
      clock,
      random,
      logger,
      context: (act) => this.#own(act),
    });
  }

  readonly drivers = new DriverRegistry({
    egress: new EgressGuard({ allow: [...LOOPBACK_CIDRS, ...this.config.KCM_EGRESS_ALLOW] }),
  });

  get http(): string {
    return this.#http;
  }
  get seal(): 'auto' | 'shamir' {
    return this.config.KCM_SEAL;
  }
  get initialized(): boolean {
    return this.#states.region().status !== 'uninitialized';
  }
  get edgeSockets(): Readonly<Record<string, string>> {
    return this.#edge.sockets;
  }

  async start(): Promise<void> {
    this.#states.start();
    await this.#states.ready();
    this.#runner.start();
    await this.#core.begin();
    this.#host.start();
    this.#app = await this.#createApp();
    await this.#app.listen(this.config.KCM_HTTP_PORT, this.config.KCM_BIND);
    this.#http = this.config.KCM_PUBLIC_URL ?? (await this.#app.getUrl());
    await this.#reservations.sweep();
    this.#tidying = setInterval(() => void this.#tidy(), TIDY_MS).unref();
    if (this.config.KCM_SEAL === 'auto') await this.#unsealItself();
    else this.#endpoints.write({ http: this.#http });
  }

  /** Resolves when nothing of it runs any more; what was acknowledged is stored. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#endpoints.remove();
    if (this.#tidying !== null) clearInterval(this.#tidying);
    await this.#edge.stop();
    await this.#app?.close();
    this.#core.sealed();
    await this.#host.stop();
    await this.#core.stop();
    await this.#refusals.flush();
    await this.#runner.stop();
    await this.#states.stop();
    this.#seals.seal();
    await this.engines.close();
  }

  async #tidy(): Promise<void> {
    await this.#refusals.flush();
    await this.#reservations
      .sweep()
      .catch((error: unknown) => this.logger.warn({ err: error }, 'reservations were not swept'));
  }

  async #createApp(): Promise<NestFastifyApplication> {
    const { config, clock, random, logger, engines } = this;
    const region = config.KCM_REGION;
    const view = this.#states;
    const isOperator = operatorToken(this.dataDir, random);
    const health = new Health();
    watchHealth(health, { seals: this.#seals, runner: this.#runner, host: this.#host });
    const parts = [
      EnginesModule.register(engines),
      PlatformModule.register({
        config,
        clock,
        random,
        boot: this.#boot,
        deciders: {
          ledger: engines.ledger,
          catalog: eventCatalog,
          clock,
          region,
          fence: (tenant) => (tenant === null ? { term: 0, epoch: 0 } : view.access(tenant)),
        },
        subjects: this.#subjects,
        reservations: this.#reservations,
        refusals: this.#refusals,
        health,
      }),
      CoreModule.register({
        region,
        boot: this.#boot,
        seals: this.#seals,
        view,
        authenticator: new RegionAuthenticator(region, view, isOperator, this.#subjects, clock),
        hooks: {
          onUnsealed: (custody) => this.#unsealed(custody),
          onSealed: () => this.#core.sealed(),
        },
        onLost: (error) => logger.error({ err: error }, 'the seal was not recorded'),
      }),
      CmkModule.register({
        drivers: this.drivers,
        regionKeys: { keys: () => this.#regionKeys() },
      }),
    ];
    const module = StandaloneModule.register(parts, this.#runner);
    return createHttpApp(module, { config, logger, random });
  }

  async #unsealItself(): Promise<void> {
    const region = this.#app!.get(RegionService);
    if (!this.initialized) {
      await region.init({ seal: 'auto' }, this.#own('init'), ([share]) =>
        keepUnsealKey(this.dataDir, share!),
      );
    }
    await region.unseal(readUnsealKey(this.dataDir), this.#own(`unseal ${this.#boot}`));
  }

  async #unsealed(custody: OpenCustody): Promise<void> {
    writeFileSync(join(this.dataDir, 'ca.pem'), custody.keys.ca);
    await this.#core.unsealed(custody);
    await this.#edge.start(this.#core.kmipPort!);
    this.#host.retryNow();
    this.#endpoints.write({
      http: this.#http,
      kmip: `${this.config.KCM_BIND}:${this.#core.kmipPort}`,
      edgeSockets: this.#edge.sockets,
    });
  }

  get #commands(): Commands {
    return this.#app!.get(Commands);
  }

  /** One step of a process manager: an effect of Core, or a command for a decider. */
  async #execute(step: Step, context: ActContext): Promise<void> {
    if (isEffect(step)) await this.#core.run(step, context);
    else await this.#dispatch(step, context);
  }

  #dispatch(step: CoreStep, context: ActContext) {
    const whole: CommandContext = { ...context, fingerprint: '' };
    const { kind, stream, command } = step;
    return this.#commands.run(kind, stream, command, whole);
  }

  #own(act: string): CommandContext {
    const commandId = commandIdOf(['standalone', this.#boot, act]);
    return {
      commandId,
      fingerprint: '',
      tenant: null,
      actor: 'core',
      correlationId: commandId,
      causationId: commandId,
    };
  }

  #regionKeys() {
    const state = this.#states.region();
    if (state.status === 'uninitialized')
      throw new Error('asked before the region was initialized');
    return state.config.keys;
  }
}

/** @throws KcmError naming every wrong setting, or what could not be opened */
export async function startStandalone(
  env: NodeJS.ProcessEnv,
  { clock = systemClock, random = systemRandom }: Surroundings = {},
): Promise<Standalone> {
  const config = readConfig(env);
  const logger = createLogger(config.KCM_LOG_LEVEL, config.KCM_REGION);
  const engines = await openEngines(config, random);
  const standalone = new Standalone(config, engines, clock, random, logger);
  try {
    await standalone.start();
  } catch (error) {
    await standalone.stop();
    throw error;
  }
  return standalone;
}
