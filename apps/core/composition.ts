import { type CommandContext, type Commands, LogBuilder, ProcessHost } from '@kcm/application';
import { Resealing, SealService } from '@kcm/custody';
import { eventCatalog, type RegionState } from '@kcm/domain';
import { commandIdOf, type Fate, Recording, systemScheduler } from '@kcm/kernel';
import { driversWithin, LOOPBACK_CIDRS } from '@kcm/keystores';
import {
  correlated,
  type Door,
  type EngineName,
  feedsOf,
  foldReport,
  type Ground,
} from '@kcm/platform';
import { processes } from '@kcm/processes';
import { CoreRuntime } from './core-runtime.js';
import { ErasureKeeper } from './erasure/erasure-keeper.js';
import type { ShareSets } from './erasure/keyrings.js';
import { coreMetrics } from './metrics/core.js';
import { dispatching, executing } from './steps.js';
import { sealKeystoreOf } from './sys/seal-keystore.js';

/** Core alone has the erasure store and the region's log. */
export const CORE_ENGINES = [
  'ledger',
  'readModels',
  'vault',
  'erasure',
  'directory',
  'log',
] as const satisfies readonly EngineName[];
export type CoreGround = Ground<(typeof CORE_ENGINES)[number]>;

/** What is there only once the HTTP application is, or concerns the process as a whole. */
export interface CoreLate {
  readonly commands: () => Commands;
  /** Another process writes the journal of this one. */
  readonly replaced: () => void;
}
export type CoreParts = ReturnType<typeof composeCore>;

/** The parts of Core; nothing of it runs yet. */
export function composeCore(ground: CoreGround, door: Door, late: CoreLate) {
  const { config, engines, clock, random, logger, tracing } = ground;
  const { tracer } = tracing;
  const { region, boot, dataDir, states } = door;
  const dispatch = dispatching(late.commands);
  const { vault, erasure } = engines;
  const scheduler = systemScheduler;
  const keystore = sealKeystoreOf(config);
  const seals = new SealService({ region, vault, random, clock, scheduler, keystore });
  const drivers = driversOf(ground);
  const recording = new Recording({
    scheduler: systemScheduler,
    random,
    tell: (fate, act, error) => logger.warn({ ...act, err: error }, FATES[fate]),
  });
  const resealing = new Resealing({
    stores: [vault, erasure].map((store) => seals.barriered(store)),
    keep: () => erasureKeeper.keepKeyring(),
    scheduler,
    random,
    report: (error, path) => logger.error({ err: error, path }, 'a blob was not sealed anew'),
  });
  const erasureKeeper: ErasureKeeper = new ErasureKeeper({
    config,
    dataDir,
    erasure,
    vault: engines.vault,
    sets: () => setsOf(states.region()),
    clock,
    scheduler,
  });
  const core: CoreRuntime = new CoreRuntime({
    region,
    boot,
    host: config.KCM_BIND,
    kmipPort: config.KCM_KMIP_PORT,
    seal: config.KCM_SEAL,
    people: door.oidc === null ? 'local' : 'oidc',
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
    erasureKeeper,
    onReplaced: late.replaced,
    ...coreMetrics(ground.metrics),
  });
  const log = logOf(ground, region);
  const host = hostOf(
    ground,
    executing(() => core, dispatch, tracer),
  );
  const own = ownContext(boot);
  const parts = { region, boot, dataDir, states, seals, resealing, drivers, own, recording };
  return { ...parts, erasureKeeper, core, log, host };
}

const setsOf = (state: RegionState): ShareSets =>
  state.status === 'uninitialized'
    ? { counting: null, retired: [] }
    : { counting: state.config.setId, retired: state.retired ?? [] };

/** On one machine the customers of a trial have their keystores beside us. */
const driversOf = ({ program, config }: Pick<Ground, 'program' | 'config'>) =>
  driversWithin([...(program === 'standalone' ? LOOPBACK_CIDRS : []), ...config.KCM_EGRESS_ALLOW]);

const FATES: { readonly [fate in Fate]: string } = {
  waits: 'an act is not recorded yet: it acts, and ends with this process',
  recorded: 'an act that was not recorded is recorded now',
  refused: 'an act was not recorded: there is nothing to record any more',
  lost: 'an act was not recorded and ends with this process',
};

const logOf = (ground: CoreGround, region: string): LogBuilder =>
  new LogBuilder({
    ...feedsOf(ground),
    region,
    store: ground.engines.log,
    report: (error, state) => foldReport(ground)('transparency-log', error, state),
  });

function hostOf(ground: CoreGround, execute: ReturnType<typeof executing>): ProcessHost {
  const { engines, clock, tracing, logger } = ground;
  const { readModels } = engines;
  return new ProcessHost(
    {
      ...feedsOf(ground),
      writer: readModels,
      reader: readModels,
      tracer: tracing.tracer,
      report: foldReport(ground),
      clock,
      execute: (step, ref) => correlated(ref.cause.correlationId, () => execute(step, ref)),
      onFailed: ({ cause, ...ref }, error, attempts) => {
        const of = { ...ref, cause: cause.event, correlationId: cause.correlationId };
        logger.warn({ err: error, ...of, attempts }, 'a step of a process is tried again');
      },
    },
    processes,
  );
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
