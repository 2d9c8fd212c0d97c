import { Secret } from '@kcm/crypto';
import {
  connectionBudget,
  LeaseClock,
  LIMITS,
  memoryReasons,
  noTracer,
  systemClock,
  systemRandom,
  systemScheduler,
  uuidv4,
  within,
  type Random,
} from '@kcm/kernel';
import { Acknowledger } from './core/acknowledger.js';
import { EdgeApi } from './server/api.js';
import { DataPlane } from './data-plane.js';
import { EdgeServer, SERVER_LIMITS } from './server/edge-server.js';
import { HeldBytes } from './server/held-bytes.js';
import { GcWitness } from './leases/gc-witness.js';
import { healthOf } from './server/health.js';
import { credentialsOf } from './core/edge-credentials.js';
import { KmipCore } from './core/kmip-core.js';
import { LeaseKeeper } from './leases/lease-keeper.js';
import { leaseShown } from './leases/lease-shown.js';
import { metricsText } from './server/metrics.js';
import type { L3Handle } from './records/l3-handle.js';
import { PooledRandom } from './records/pooled-random.js';
import { RefusalCounts } from './refusal-counts.js';
import type {
  EdgeLogEntry,
  EdgeOptions,
  EdgeStatus,
  Heard,
  RenewedCertificate,
  RunningEdge,
} from './running-edge.js';
import { edgeSockets } from './sockets.js';
import { UsageReporter } from './usage-reporter.js';
import { UsageLedger } from './usage.js';

const USAGE_WINDOW_MS = 10_000;
const LAST_REPORT_MS = 1_000;

/**
 * One boot of an Edge: nothing of it is on disk, so that a restart is cold. Listens at once; Core
 * is reached, and reached again, in the background. @throws KcmError when a socket cannot be had
 */
export async function startEdge(options: EdgeOptions): Promise<RunningEdge> {
  const edge = new Edge(options);
  await edge.listen();
  return edge;
}

class Edge implements RunningEdge {
  readonly sockets: Readonly<Record<string, string>>;
  readonly #boot: string;
  readonly #now: () => number;
  readonly #clock: LeaseClock;
  readonly #witness = new GcWitness();
  readonly #core: KmipCore;
  readonly #keeper: LeaseKeeper;
  readonly #refusals = new RefusalCounts();
  readonly #usage: UsageLedger;
  readonly #reporter: UsageReporter;
  readonly #acknowledger: Acknowledger;
  readonly #servers: readonly EdgeServer[];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #log: (entry: EdgeLogEntry) => void;
  /** Dropped for what was heard, and not yet seen to be erased. */
  readonly #early = new Map<string, readonly L3Handle[]>();
  #alarms = 0;

  constructor(private readonly options: EdgeOptions) {
    this.sockets = edgeSockets(options.socketDir, options.services);
    this.#log = options.log ?? (() => undefined);
    const clock = options.clock ?? systemClock;
    const source = options.random ?? systemRandom;
    const random = new PooledRandom(source);
    const wallMs = () => clock.wallMs();
    const now = () => clock.monotonicMs();
    this.#now = now;
    this.#clock = new LeaseClock(clock);
    this.#boot = uuidv4(source);
    this.#core = this.#connectCore(source, wallMs);
    this.#keeper = new LeaseKeeper({
      core: this.#core,
      clock: this.#clock,
      random,
      witness: this.#witness,
      now,
      onAlarm: (alarm, tenant) => this.#alarm(alarm, tenant),
      onClosed: (grant) => this.#usage.closed(grant),
      onHearsay: (tenant, dropped) => void this.#dropped(tenant, dropped),
      subkeyInvocationsMax: options.subkeyInvocationsMax,
    });
    this.#usage = new UsageLedger(this.#boot, wallMs, this.#refusals);
    this.#reporter = new UsageReporter(this.#core, this.#usage);
    this.#acknowledger = new Acknowledger({
      core: this.#core,
      witness: this.#witness,
      boot: this.#boot,
      random,
      wallMs,
      onLost: (tenant) => this.#alarm('a word on a revocation was lost', tenant),
    });
    const limits = { ...SERVER_LIMITS, ...options.serverLimits };
    const held = new HeldBytes();
    this.#servers = Object.entries(this.sockets).map(([service, path]) => {
      const plane = new DataPlane(service, this.#keeper, this.#usage, { random, wallMs });
      const status = () => this.status(service);
      const { tracer = noTracer } = options;
      const api = new EdgeApi({
        plane,
        random,
        tracer,
        status,
        health: () => this.#health(),
        metrics: () => this.#metrics(),
        refusals: this.#refusals,
      });
      return new EdgeServer(path, api, limits, now, held);
    });
  }

  async listen(): Promise<void> {
    try {
      for (const server of this.#servers) await server.listen();
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#timers.push(
      setInterval(() => this.#keeper.tick(), LIMITS.leaseTickMs),
      setInterval(
        () => void this.#reporter.report(),
        this.options.usageWindowMs ?? USAGE_WINDOW_MS,
      ),
    );
    this.#core.start();
  }

  status(service?: string): EdgeStatus {
    const { edge, region } = this.options;
    const shown = this.#live().filter(
      (handle) => service === undefined || handle.service === service,
    );
    return {
      edge,
      region,
      boot: this.#boot,
      core: { connected: this.#core.connected },
      confirmsErasure: this.#witness.canConfirm,
      leases: shown.map(leaseShown),
      counters: {
        ...this.#usage.totals,
        refused: this.#refusals.total,
        alarms: this.#alarms,
      },
    };
  }

  renew(next: RenewedCertificate): void {
    this.#core.reconnectAs(credentialsOf(this.options, next));
  }

  heard({ tenant, term, epoch }: Heard): void {
    this.#keeper.heard(tenant, { term, epoch });
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#servers.map((server) => server.close()));
    await within(systemScheduler, LAST_REPORT_MS, this.#reporter.last());
    this.#acknowledger.stop();
    this.#keeper.dropAll();
    await this.#core.stop();
  }

  #connectCore(source: Random, wallMs: () => number): KmipCore {
    return new KmipCore({
      ...credentialsOf(this.options, this.options),
      boot: this.#boot,
      kwk: Secret.own(source.bytes(32)),
      random: source,
      tracer: this.options.tracer ?? noTracer,
      wallMs,
      now: this.#now,
      onNotice: (notice) => {
        const noticed = this.#keeper.notice(notice);
        if (notice.change !== 'revoked' && notice.change !== 'readOnly') return;
        const event = notice.change === 'readOnly' ? 'read-only' : 'revoked';
        const dropped = [...noticed, ...(this.#early.get(notice.tenant) ?? [])];
        this.#log({ level: 'warn', event, tenant: notice.tenant });
        void this.#acknowledger.acknowledge(notice, dropped).then((recorded) => {
          if (recorded) this.#log({ level: 'info', event: 'acknowledged', tenant: notice.tenant });
        });
      },
      onRevoked: () => this.#revoked(),
      onConnection: (connected, why) =>
        this.#log(
          connected
            ? { level: 'info', event: 'core-connected' }
            : { level: 'warn', event: 'core-unreachable', detail: why ?? '' },
        ),
      onWrongAnswer: (detail) => this.#alarm(detail, null),
    });
  }

  /** Before Core's own notice, whose acknowledgement has to answer for these keys too. */
  async #dropped(tenant: string, handles: readonly L3Handle[]): Promise<void> {
    this.#log({ level: 'info', event: 'heard', tenant, detail: 'dropped; Core will be asked' });
    if (!this.#witness.canConfirm) return;
    const all = [...(this.#early.get(tenant) ?? []), ...handles];
    this.#early.set(tenant, all);
    const gone = await this.#witness.confirm(all.map((handle) => handle.witnessed));
    if (gone && this.#early.get(tenant) === all) this.#early.delete(tenant);
  }

  /** Nobody asks for a word on it: the Edge whose word it would be is not let in any more. */
  #revoked(): void {
    const dropped = this.#keeper.dropAll();
    void this.#witness.confirm(dropped.map((handle) => handle.witnessed));
    const detail = `Core has revoked this Edge; dropped ${dropped.length} keys`;
    this.#log({ level: 'warn', event: 'revoked', detail });
  }

  #alarm(detail: string, tenant: string | null): void {
    this.#alarms += 1;
    const named = tenant === null ? {} : { tenant };
    this.#log({ level: 'error', event: 'alarm', detail, ...named });
  }

  #live() {
    return this.#keeper.handles().filter((handle) => handle.live);
  }

  #health() {
    const { disturbedAt } = this.#clock;
    return healthOf({
      connected: this.#core.connected,
      leases: this.#live().length,
      confirmsErasure: this.#witness.canConfirm,
      staleTenants: this.#keeper.staleTenants,
      disturbed: disturbedAt !== null && this.#now() - disturbedAt < LIMITS.clockSuspicionMs,
      others: [
        ...connectionBudget().reasons(),
        ...memoryReasons(),
        ...(this.options.hearing?.reasons ?? []),
      ],
    });
  }

  #metrics(): string {
    const { edge, region } = this.options;
    return metricsText({
      edge,
      region,
      connected: this.#core.connected,
      operations: this.#usage.totals,
      refusals: this.#refusals,
      alarms: this.#alarms,
      connections: this.#servers.reduce((sum, server) => sum + server.connections, 0),
      leases: this.#live().map(({ deadline }) => ({
        ageMs: deadline.ageMs(),
        remainingMs: deadline.remainingMs(),
      })),
      reportsWaiting: this.#usage.waiting,
      wordsWaiting: this.#acknowledger.waiting,
      hearing: this.options.hearing ?? null,
    });
  }
}
