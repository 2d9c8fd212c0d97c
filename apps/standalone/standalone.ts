import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { assertLedgerWhole, assertLogIsOf, Commands, processProjection } from '@kcm/application';
import type { OpenCustody } from '@kcm/custody';
import {
  type Clock,
  inTurn,
  type KcmError,
  type Random,
  systemClock,
  systemRandom,
} from '@kcm/kernel';
import { TracedLedger, WatchedLedger } from '@kcm/ledger';
import { createLogger, Health, Metrics, openEngines, readConfig } from '@kcm/platform';
import { processes } from '@kcm/processes';
import { startTracing } from '@kcm/tracing';
import { projections } from '@projections/all';
import { EventStreams } from '../cmk/index.js';
import { RegionService } from '../core/index.js';
import { createApplication } from './application.js';
import { compose, type Composition, type Ground } from './composition.js';
import { EndpointsFile } from './endpoints.js';
import { ledgerMetrics } from './metrics/index.js';
import { assertLedgerIsTheirs, findLosses } from './stores.js';
import { keepUnsealKey, readUnsealKey } from './unseal-key.js';

/** What the composition of a test may put in the place of the machine. */
export interface Surroundings {
  readonly clock?: Clock;
  readonly random?: Random;
}
const TIDY_MS = 60_000;
/** For the last try to record what acts already. */
const LAST_RECORDS_MS = 2_000;

/** The whole product in one process, on the embedded engines: its start, its unseal and its end. */
export class Standalone {
  readonly #parts: Composition;
  readonly #endpoints: EndpointsFile;
  #app: NestFastifyApplication | null = null;
  #http = '';
  #tidying: NodeJS.Timeout | null = null;
  #stopping: Promise<void> | null = null;

  constructor(private readonly ground: Ground) {
    this.#parts = compose(ground, {
      commands: () => this.#app!.get(Commands),
      replaced: () => {
        ground.logger.fatal('another process writes the journal of this one: stopping');
        void this.stop().finally(() => process.exit(1));
      },
    });
    this.#endpoints = new EndpointsFile(this.dataDir);
  }

  get dataDir(): string {
    return this.#parts.dataDir;
  }
  get http(): string {
    return this.#http;
  }
  get seal(): 'auto' | 'shamir' {
    return this.ground.config.KCM_SEAL;
  }
  get oidc(): boolean {
    return this.#parts.oidc !== null;
  }
  get initialized(): boolean {
    return this.#parts.states.region().status !== 'uninitialized';
  }
  get edgeSockets(): Readonly<Record<string, string>> {
    return this.#parts.edge.sockets;
  }

  async start(): Promise<void> {
    const { config } = this.ground;
    const { states, log, runner, core, host, oidc, reservations } = this.#parts;
    oidc?.start();
    states.start();
    await states.ready();
    await this.#assertWhole();
    log.start();
    runner.start();
    await core.begin();
    this.#app = await createApplication(this.ground, this.#parts, {
      onUnsealed: (custody) => this.#unsealed(custody),
      onSealed: () => this.#sealed(),
    });
    const losses = await findLosses(this.ground.engines);
    this.#app.get(Health).add('stores', () => losses);
    // Steps of processes are commands too: the bus must be there before the first one runs.
    await this.#app.init();
    host.start();
    await this.#app.listen(config.KCM_HTTP_PORT, config.KCM_BIND);
    this.#http = config.KCM_PUBLIC_URL ?? (await this.#app.getUrl());
    await reservations.sweep();
    this.#tidying = setInterval(() => void this.#tidy(), TIDY_MS).unref();
    if (config.KCM_SEAL === 'auto') await this.#unsealItself();
    else this.#endpoints.write({ http: this.#http });
  }

  async #assertWhole(): Promise<void> {
    const { engines } = this.ground;
    const { ledger, readModels } = engines;
    if (!this.initialized) await assertLedgerIsTheirs(engines);
    const folds = [...projections, ...processes.map(processProjection)];
    await assertLedgerWhole(ledger, readModels, folds);
    const { region } = this.#parts;
    await assertLogIsOf({ region, ledger, state: await engines.log.state() });
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
    const { edge, core, host, oidc, recording, refusals, runner, states, seals, log } = this.#parts;
    if (this.#tidying !== null) clearInterval(this.#tidying);
    await inTurn([
      () => this.#endpoints.remove(),
      () => oidc?.stop(),
      () => edge.stop(),
      () => this.#app?.close(),
      () => core.sealed(),
      () => host.stop(),
      () => recording.end(LAST_RECORDS_MS),
      () => core.stop(),
      () => refusals.flush(),
      () => runner.stop(),
      () => log.stop(),
      () => states.stop(),
      () => seals.seal(),
      () => closeGround(this.ground),
    ]);
  }

  async #unsealItself(): Promise<void> {
    const { boot, own } = this.#parts;
    const region = this.#app!.get(RegionService);
    if (!this.initialized) {
      await region.init({ seal: 'auto' }, own('init'), ([share]) =>
        keepUnsealKey(this.dataDir, share!),
      );
    }
    await region.unseal(readUnsealKey(this.dataDir), own(`unseal ${boot}`));
  }

  async #unsealed(custody: OpenCustody): Promise<void> {
    const { core, edge, host } = this.#parts;
    writeFileSync(join(this.dataDir, 'ca.pem'), custody.keys.ca);
    await core.unsealed(custody);
    await edge.start(core.kmipPort!);
    host.retryNow();
    this.#endpoints.write({
      http: this.#http,
      kmip: `${this.ground.config.KCM_BIND}:${core.kmipPort}`,
      edgeSockets: edge.sockets,
    });
  }

  /** Core's door closes; the Edge goes on to the end of its leases. */
  #sealed(): void {
    const { core, edge } = this.#parts;
    core.sealed();
    this.#app!.get(EventStreams, { strict: false }).endAll('the region is sealed');
    try {
      this.#endpoints.write({ http: this.#http, edgeSockets: edge.sockets });
    } catch (error) {
      // A full disk does not keep the region open; a door that is closed must not be named.
      this.#endpoints.remove();
      this.ground.logger.warn({ err: error }, 'endpoints.json was not written');
    }
  }

  async #tidy(): Promise<void> {
    const { refusals, reservations } = this.#parts;
    await refusals.flush();
    await reservations
      .sweep()
      .catch((error: unknown) =>
        this.ground.logger.warn({ err: error }, 'reservations were not swept'),
      );
  }
}

const closeGround = ({ engines, tracing }: Ground): Promise<void> =>
  inTurn([() => engines.close(), () => tracing.stop()]);

/**
 * A sync of a file failed. Whatever the kernel dropped of it is still in the file's log, which the
 * next start writes anew; closing the files would empty the log.
 */
function endAtOnce({ code, message }: KcmError): never {
  process.stderr.write(`OpenKCM stops (${code}). ${message}\n`);
  process.exit(1);
}

/** @throws KcmError naming every wrong setting, or what could not be opened */
export async function startStandalone(
  env: NodeJS.ProcessEnv,
  { clock = systemClock, random = systemRandom }: Surroundings = {},
): Promise<Standalone> {
  const config = readConfig(env);
  const logger = createLogger(config.KCM_LOG_LEVEL, config.KCM_REGION);
  const tracing = await startTracing(env, {
    service: 'kcm-standalone',
    region: config.KCM_REGION,
    report: (detail) => logger.warn(detail),
  });
  const metrics = new Metrics();
  const { onAppend, onCommit } = ledgerMetrics(metrics);
  const opened = await openEngines(config, random, { onCommit, onLost: endAtOnce });
  const traced = tracing.tracer.on
    ? new TracedLedger(opened.ledger, tracing.tracer)
    : opened.ledger;
  const engines = { ...opened, ledger: new WatchedLedger(traced, clock, onAppend) };
  const ground = { config, engines, clock, random, tracing, logger, metrics };
  let standalone: Standalone | null = null;
  try {
    standalone = new Standalone(ground);
    await standalone.start();
    return standalone;
  } catch (error) {
    const stopping = standalone === null ? closeGround(ground) : standalone.stop();
    await stopping.catch((also: unknown) => logger.error({ err: also }, 'did not stop cleanly'));
    throw error;
  }
}
