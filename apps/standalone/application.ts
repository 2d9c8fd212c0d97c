import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { eventCatalog, type RegionKeys } from '@kcm/domain';
import { KcmError } from '@kcm/kernel';
import { createHttpApp, EnginesModule, Health, httpMetrics, PlatformModule } from '@kcm/platform';
import { CmkModule } from '../cmk/index.js';
import {
  CoreModule,
  LocalAuthenticator,
  operatorToken,
  RegionAuthenticator,
  type RegionHooks,
} from '../core/index.js';
import type { Composition, Ground } from './composition.js';
import { Lags, watchHealth } from './health/index.js';
import { watchMetrics } from './metrics/index.js';
import { StandaloneModule } from './standalone.module.js';

/** The HTTP doors of cmk, Core and the projector over one composition; not listening yet. */
export function createApplication(
  ground: Ground,
  parts: Composition,
  hooks: RegionHooks,
): Promise<NestFastifyApplication> {
  const { config, engines, clock, random, logger, metrics } = ground;
  const { tracer } = ground.tracing;
  const { region, boot, states: view, seals, recording, subjects, refusals, reservations } = parts;
  const health = new Health((part, error) =>
    logger.error({ err: error, part }, 'a part cannot say how it is'),
  );
  const { ledger } = engines;
  const lags = new Lags(ledger, clock);
  watchHealth(health, parts, { ledger, clock, lags });
  watchMetrics(metrics, { parts, ledger, clock, lags });
  const isOperator = operatorToken(parts.dataDir, random);
  const people = parts.oidc ?? new LocalAuthenticator(region, view, subjects, clock);
  const modules = [
    EnginesModule.register(engines),
    PlatformModule.register({
      config,
      clock,
      random,
      tracer,
      boot,
      deciders: {
        ledger,
        catalog: eventCatalog,
        clock,
        region,
        fence: (tenant) => (tenant === null ? { term: 0, epoch: 0 } : view.access(tenant)),
      },
      subjects,
      reservations,
      refusals,
      health,
      metrics,
    }),
    CoreModule.register({
      region,
      boot,
      seals,
      view,
      authenticator: new RegionAuthenticator(isOperator, people),
      hooks,
      recording,
    }),
    CmkModule.register({
      drivers: parts.drivers,
      regionKeys: { keys: () => regionKeys(parts) },
      checkpointSigner: { signCheckpoint: (head) => seals.custody().signCheckpoint(head) },
      foresight: view,
      recording,
    }),
  ];
  const module = StandaloneModule.register(modules, parts.runner);
  const onAnswered = httpMetrics(metrics);
  return createHttpApp(module, { config, logger, random, clock, tracer, onAnswered });
}

/** @throws KcmError sealed while the region is not initialized */
function regionKeys({ states }: Composition): RegionKeys {
  const state = states.region();
  if (state.status === 'uninitialized')
    throw new KcmError('sealed', 'This region is not initialized yet.');
  return state.config.keys;
}
