import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Clock,
  fullJitterMs,
  guardMemory,
  inTurn,
  KcmError,
  type Random,
  systemClock,
  systemRandom,
} from '@kcm/kernel';
import { TracedLedger, WatchedLedger } from '@kcm/ledger';
import { startTracing, type Tracing } from '@kcm/tracing';
import type { Logger } from 'pino';
import { type Config, type ProgramName, readConfig } from '../config.js';
import { Damages } from '../engines/damages.js';
import {
  type EngineName,
  openEngines,
  type Opened,
  type OpeningHooks,
} from '../engines/engines.js';
import { createLogger } from '../logger.js';
import { ledgerMetrics, Metrics } from '../metrics/index.js';

/** What everything of a process stands on, with the engines that it needs. */
export interface Ground<N extends EngineName = EngineName> {
  readonly program: ProgramName;
  readonly config: Config;
  readonly engines: Opened<N> & { readonly ledger: WatchedLedger };
  readonly clock: Clock;
  readonly random: Random;
  readonly tracing: Tracing;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly damages: Damages;
}
/** What the composition of a test may put in the place of the machine. */
export interface Surroundings {
  readonly clock?: Clock;
  readonly random?: Random;
}

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;

/**
 * A process apart waits for its servers and says for which; one that stands alone does not.
 * @throws KcmError naming every wrong setting, or what could not be opened
 */
export async function openGround<N extends EngineName>(
  env: NodeJS.ProcessEnv,
  program: ProgramName,
  needed: readonly (N | 'ledger')[],
  { clock = systemClock, random = systemRandom }: Surroundings = {},
): Promise<Ground<N | 'ledger'>> {
  guardMemory();
  const config = readConfig(env, program);
  const logger = createLogger(config.KCM_LOG_LEVEL, config.KCM_REGION);
  const tracing = await startTracing(env, {
    service: `kcm-${program}`,
    region: config.KCM_REGION,
    report: (detail) => logger.warn(detail),
  });
  const metrics = new Metrics();
  const { onAppend, onCommit } = ledgerMetrics(metrics);
  const onMessaging = (error: unknown) => logger.warn({ err: error }, 'messaging');
  const damages = new Damages((error) => logger.error({ err: error }, 'a stored value is damaged'));
  const patience: OpeningHooks['patience'] = (open) =>
    program === 'standalone' ? open() : waiting(open, random, logger);
  const onDamaged = damages.met;
  const hooks = { onCommit, onLost: endAtOnce, onMessaging, onDamaged, patience };
  try {
    const opened = await openEngines(config, random, needed, hooks);
    const ledger = tracing.tracer.on
      ? new TracedLedger(opened.ledger, tracing.tracer)
      : opened.ledger;
    const engines = { ...opened, ledger: new WatchedLedger(ledger, clock, onAppend) };
    return { program, config, engines, clock, random, tracing, logger, metrics, damages };
  } catch (error) {
    await tracing.stop();
    throw error;
  }
}

export const closeGround = ({
  engines,
  tracing,
}: Pick<Ground, 'tracing'> & { readonly engines: { close(): Promise<void> } }): Promise<void> =>
  inTurn([() => engines.close(), () => tracing.stop()]);

/** Any order of starting works: what is not there yet is waited for, and told when it changes. */
async function waiting<T>(open: () => Promise<T>, random: Random, logger: Logger): Promise<T> {
  let told = '';
  for (let attempt = 0; ; attempt += 1)
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof KcmError) || error.code !== 'ledger_unavailable') throw error;
      if (error.message !== told) logger.warn({ detail: error.message }, 'waiting for a server');
      told = error.message;
      await sleep(fullJitterMs(random, attempt, RETRY_MS_MIN, RETRY_MS_MAX));
    }
}

/**
 * A sync of a file failed. Whatever the kernel dropped of it is still in the file's log, which the
 * next start writes anew; closing the files would empty the log.
 */
function endAtOnce({ code, message }: KcmError): never {
  process.stderr.write(`OpenKCM stops (${code}). ${message}\n`);
  process.exit(1);
}
