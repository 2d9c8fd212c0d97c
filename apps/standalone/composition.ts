import { join, resolve } from 'node:path';
import {
  type CommandContext,
  type Commands,
  LogBuilder,
  ProcessHost,
  ProjectionRunner,
  Refusals,
  Reservations,
  StreamStates,
  Subjects,
} from '@kcm/application';
import { SealService } from '@kcm/custody';
import { eventCatalog, type Recorded } from '@kcm/domain';
import {
  type Clock,
  commandIdOf,
  type Fate,
  type Random,
  Recording,
  systemScheduler,
  uuidv4,
} from '@kcm/kernel';
import { DriverRegistry, EgressGuard, LOOPBACK_CIDRS } from '@kcm/keystores';
import type { WatchedLedger } from '@kcm/ledger';
import {
  type Config,
  correlated,
  type Engines,
  type Metrics,
  OidcAuthenticator,
} from '@kcm/platform';
import { processes } from '@kcm/processes';
import type { Tracing } from '@kcm/tracing';
import { projections } from '@projections/all';
import type { Logger } from 'pino';
import { CoreRuntime } from '../core/index.js';
import { LocalEdge } from './local-edge.js';
import { coreMetrics } from './metrics/core.js';
import { dispatching, executing } from './steps.js';

/** What everything here stands on. */
export interface Ground {
  readonly config: Config;
  readonly engines: Engines & { readonly ledger: WatchedLedger };
  readonly clock: Clock;
  readonly random: Random;
  readonly tracing: Tracing;
  readonly logger: Logger;
  readonly metrics: Metrics;
}
/** What is there only once the HTTP application is, or concerns the process as a whole. */
export interface Late {
  readonly commands: () => Commands;
  /** Another process writes the journal of this one. */
  readonly replaced: () => void;
}
export type Composition = ReturnType<typeof compose>;

/** The parts of the whole product in one process; nothing of it runs yet. */
export function compose(ground: Ground, late: Late) {
  const { config, engines, clock, random, logger } = ground;
  const { tracer } = ground.tracing;
  const region = config.KCM_REGION;
  const boot = uuidv4(random);
  const dataDir = resolve(config.KCM_DATA_DIR);
  const dispatch = dispatching(late.commands);
  const seals = new SealService({ region, vault: engines.vault, random, clock });
  const drivers = new DriverRegistry({
    egress: new EgressGuard({ allow: [...LOOPBACK_CIDRS, ...config.KCM_EGRESS_ALLOW] }),
  });
  const recording = new Recording({
    scheduler: systemScheduler,
    random,
    tell: (fate, act, error) => logger.warn({ ...act, err: error }, FATES[fate]),
  });
  const own = ownContext(boot);
  const folds = composeFolds(ground, region, {
    core: () => core,
    execute: executing(() => core, dispatch, tracer),
  });
  const { states } = folds;
  const core = new CoreRuntime({
    region,
    boot,
    host: config.KCM_BIND,
    kmipPort: config.KCM_KMIP_PORT,
    seal: config.KCM_SEAL,
    people: config.KCM_OIDC_ISSUERS.length > 0 ? 'oidc' : 'local',
    engines,
    catalog: eventCatalog,
    view: states,
    seals,
    drivers,
    dispatch,
    clock,
    random,
    recording,
    tracer,
    logger,
    // One machine: whoever keeps an image of the disk keeps every copy.
    shredWord: 'recoverable from a disk image',
    onReplaced: late.replaced,
    ...coreMetrics(ground.metrics),
  });
  const edge = new LocalEdge({
    region,
    services: config.KCM_EDGE_SERVICES,
    socketDir: join(dataDir, 'edge'),
    commands: late.commands,
    custody: () => seals.custody(),
    directory: engines.directory,
    view: states,
    clock,
    random,
    tracer,
    logger,
    context: own,
  });
  const { ledger, directory } = engines;
  const lost = (error: unknown, correlationId: string) =>
    logger.error({ err: error, correlationId }, 'a record was lost');
  const refusals = new Refusals(ledger, clock, random, systemScheduler, region, boot, lost);
  const subjects = new Subjects(directory, random);
  const reservations = new Reservations(directory, clock);
  const oidc = people(ground, subjects);
  const journals = { refusals, subjects, reservations };
  return {
    region,
    boot,
    dataDir,
    seals,
    drivers,
    own,
    recording,
    ...folds,
    core,
    edge,
    oidc,
    ...journals,
  };
}

const FATES: { readonly [fate in Fate]: string } = {
  waits: 'an act is not recorded yet: it acts, and ends with this process',
  recorded: 'an act that was not recorded is recorded now',
  refused: 'an act was not recorded: there is nothing to record any more',
  lost: 'an act was not recorded and ends with this process',
};

/** Who else but the operator is let in; null: who has a token of the local issuer. */
function people({ config, clock, logger }: Ground, subjects: Subjects): OidcAuthenticator | null {
  const issuers = config.KCM_OIDC_ISSUERS;
  if (issuers.length === 0) return null;
  return new OidcAuthenticator(issuers, { subjects, clock, scheduler: systemScheduler, logger });
}

/** Everything that is folded from the ledger, each on a feed of its own. */
function composeFolds(
  { engines, clock, random, tracing: { tracer }, logger }: Ground,
  region: string,
  late: {
    readonly core: () => CoreRuntime;
    readonly execute: ReturnType<typeof executing>;
  },
) {
  const { ledger, readModels } = engines;
  const feeds = { ledger, catalog: eventCatalog, scheduler: systemScheduler, random };
  const report = (name: string, error: unknown, state: string) =>
    logger.error({ err: error, name, state }, 'a fold of the ledger stands still');
  const states = new StreamStates({
    ...feeds,
    region,
    report: (error, state) => {
      report('core-view', error, state);
      // It answers nothing any more: nothing stays open that it would have to be asked about.
      if (state === 'failed') late.core().sealed();
    },
    observe: (event) => late.core().keys.observe(event as unknown as Recorded),
  });
  const log = new LogBuilder({
    ...feeds,
    region,
    store: engines.log,
    report: (error, state) => report('transparency-log', error, state),
  });
  const stores = { ...feeds, writer: readModels, reader: readModels, tracer, report };
  const runner = new ProjectionRunner(stores, projections);
  const host = new ProcessHost(
    {
      ...stores,
      clock,
      execute: (step, ref) => correlated(ref.cause.correlationId, () => late.execute(step, ref)),
      onFailed: ({ cause, ...ref }, error, attempts) => {
        const of = { ...ref, cause: cause.event, correlationId: cause.correlationId };
        logger.warn({ err: error, ...of, attempts }, 'a step of a process is tried again');
      },
    },
    processes,
  );
  return { states, log, runner, host };
}

/** For what this process does on its own account; the same act of the same boot is one command. */
const ownContext =
  (boot: string) =>
  (act: string): CommandContext => {
    const commandId = commandIdOf(['standalone', boot, act]);
    return {
      commandId,
      fingerprint: '',
      tenant: null,
      actor: 'core',
      correlationId: commandId,
      causationId: commandId,
    };
  };
