import { resolve } from 'node:path';
import { startEdge, type EdgeLogEntry, type RunningEdge } from '@kcm/edge';
import { exposedGc, guardMemory, inTurn, KcmError, systemClock } from '@kcm/kernel';
import { startTracing } from '@kcm/tracing';
import { readConfig, socketDirOf } from './config.js';
import { writeEndpoints } from './endpoints.js';
import { jsonLog, type Log } from './log.js';
import { RevocationFeed } from './revocation-feed.js';
import { CertificateFiles } from './reload.js';
import { assertIssued, edgeIdentity } from './tls.js';

export interface Console {
  /** One JSON line for programs. */
  readonly out: (line: string) => void;
  /** The log: one JSON line an entry. */
  readonly err: (line: string) => void;
}

export interface EdgeProgram extends Omit<RunningEdge, 'heard'> {
  /** As `CertificateFiles.reload`. */
  reload(): void;
}

/** Starts an Edge from its environment. @throws KcmError naming what is wrong */
export async function runEdge(
  env: Readonly<Record<string, string | undefined>>,
  console: Console,
): Promise<EdgeProgram> {
  guardMemory();
  const config = readConfig(env);
  const identity = edgeIdentity(config.certificate, config.privateKey, systemClock.wallMs());
  assertIssued(config.certificate, config.ca);
  if (config.region !== null && config.region !== identity.region)
    throw new KcmError(
      'invalid_request',
      `KCM_REGION is ${config.region}, the certificate is of region ${identity.region}.`,
    );
  const log = jsonLog(console.err, config.logLevel, identity);
  if (exposedGc() === null)
    log(
      'warn',
      'started without --expose-gc: after a revocation this Edge refuses and drops its keys as ' +
        'always, but cannot say when their bytes were gone from memory (dropped-unconfirmed)',
    );
  const core = `${config.coreHost}:${config.corePort}`;
  const dataDir = resolve(config.dataDir);
  const tracing = await startTracing(env, {
    service: 'kcm-edge',
    region: identity.region,
    report: (detail) => log('warn', detail),
  });
  const { messaging, ...own } = config;
  const feed = messaging === null ? null : await RevocationFeed.over(messaging, identity.edge, log);
  const edge = await startEdge({
    ...own,
    ...identity,
    ...(feed === null ? {} : { hearing: feed }),
    socketDir: socketDirOf(dataDir),
    tracer: tracing.tracer,
    log: logTo(log, core),
  });
  feed?.follow((told) => edge.heard(told));
  const files = new CertificateFiles(env, edge, config, log);
  const removeEndpoints = writeEndpoints(dataDir, edge.sockets);
  console.out(JSON.stringify({ edgeSockets: edge.sockets, ...identity }));
  log('info', 'listens; waiting for Core', { core });
  return {
    sockets: edge.sockets,
    status: (service) => edge.status(service),
    renew: (next) => edge.renew(next),
    reload: () => files.reload(),
    stop: () =>
      inTurn([removeEndpoints, () => edge.stop(), () => feed?.stop(), () => tracing.stop()]),
  };
}

/** The same reason is told once, not at each attempt. */
function logTo(log: Log, core: string): (entry: EdgeLogEntry) => void {
  let last: string | null = null;
  return ({ level, event, detail, tenant }) => {
    const ofCore = event === 'core-connected' || event === 'core-unreachable';
    const said = `${event} ${detail}`;
    if (event === 'core-unreachable' && said === last) return;
    if (ofCore) last = said;
    log(level, event, { ...(ofCore ? { core } : {}), tenant, detail });
  };
}
