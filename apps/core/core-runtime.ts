import { credentialsContext } from '@kcm/crypto';
import {
  type ActContext,
  type CallSeen,
  type CoreView,
  KeyService,
  type OpenCustody,
  type SealService,
} from '@kcm/custody';
import type { AccessState, KeyEvent } from '@kcm/domain';
import {
  type Clock,
  collectSoon,
  KeyedTurns,
  LIMITS,
  type Random,
  type Recording,
  Seldom,
  systemScheduler,
  type Tracer,
} from '@kcm/kernel';
import type { DriverRegistry } from '@kcm/keystores';
import type { KcmAccess } from '@kcm/kmip';
import type { ServerCredentials } from '@kcm/kmip/server';
import type { EventCatalog } from '@kcm/ledger';
import { type Config, type Engines, VERSION } from '@kcm/platform';
import type { Effect } from '@kcm/processes';
import type { Logger } from 'pino';
import { Acknowledgements } from './acknowledgements.js';
import { CertificateRenewal } from './certificate-renewal.js';
import type { ErasureKeeper } from './erasure/erasure-keeper.js';
import { type Dispatch, type EffectDeps, runKeyEffect } from './effects/index.js';
import { keyChanges, KmipFront, standingLocks } from './kmip/index.js';
import { issueReceipt } from './receipts/issue-receipt.js';

export interface CoreDeps {
  readonly region: string;
  readonly boot: string;
  readonly host: string;
  /** 0 takes a free one at the first unseal and keeps it. */
  readonly kmipPort: number;
  readonly seal: Config['KCM_SEAL'];
  /** Who gives people their tokens. */
  readonly people: 'local' | 'oidc';
  readonly engines: Omit<Engines, 'outbox'>;
  readonly catalog: EventCatalog;
  readonly view: CoreView;
  readonly seals: SealService;
  readonly drivers: DriverRegistry;
  readonly dispatch: Dispatch;
  readonly clock: Clock;
  readonly random: Random;
  readonly recording: Recording;
  readonly tracer: Tracer;
  readonly logger: Logger;
  /** What a shred is worth here. */
  readonly erasureKeeper: ErasureKeeper;
  /** Another Core took over this region: this process must end. */
  readonly onReplaced: () => void;
  /** What is counted of it. Must not throw. */
  readonly onCalled: (seen: CallSeen) => void;
  readonly onRotation: EffectDeps['onRotation'];
  readonly onAnswered: (operation: string, reason: string | null) => void;
  readonly onTurnedAway: (why: string) => void;
}
/** Strangers at the KMIP port are in the log so often. */
const TURNED_AWAY_TOLD_MS = 10_000;

/** Everything of Core that needs the keys: it stands while the region is unsealed. */
export class CoreRuntime {
  readonly keys: KeyService;
  readonly #effects: EffectDeps;
  readonly #acknowledgements: Acknowledgements;
  readonly #turnedAway: Seldom;
  #front: KmipFront | null = null;
  #renewal: CertificateRenewal | null = null;
  #port: number;
  #unsubscribe: (() => void)[] = [];

  constructor(private readonly deps: CoreDeps) {
    const { engines, seals, dispatch, view, clock, random, region } = deps;
    this.#turnedAway = new Seldom(clock, TURNED_AWAY_TOLD_MS);
    const wrapped = seals.barriered(engines.vault);
    const erasure = seals.barriered(engines.erasure);
    this.#port = deps.kmipPort;
    this.keys = new KeyService({
      ledger: engines.ledger,
      view,
      vault: engines.vault,
      wrapped,
      erasure,
      record: dispatch,
      clock,
      random,
      scheduler: systemScheduler,
      recording: deps.recording,
      tracer: deps.tracer,
      region,
      boot: deps.boot,
      release: VERSION,
      onReplaced: deps.onReplaced,
      onCalled: deps.onCalled,
      driver: (name) => deps.drivers.get(name),
      openCredentials: (sealed, tenant, rootKeyId) => {
        const { info, aad } = credentialsContext(tenant, rootKeyId);
        return seals.custody().openTransport(info, aad, sealed);
      },
    });
    this.#effects = {
      keys: this.keys,
      view,
      ledger: engines.ledger,
      catalog: deps.catalog,
      dispatch,
      vault: engines.vault,
      wrapped,
      erasure,
      turns: new KeyedTurns(),
      clock,
      random,
      region,
      onRotation: deps.onRotation,
      shredWord: (path) => deps.erasureKeeper.shredWord(path),
    };
    this.#acknowledgements = new Acknowledgements(view, dispatch, clock, (tenant) =>
      this.keys.unrecorded(tenant),
    );
  }

  /** Port of the KMIP door, null while sealed. */
  get kmipPort(): number | null {
    return this.#front === null ? null : this.#port;
  }

  /** Edges that hold a connection to be told over; 0 while sealed. */
  get edgesConnected(): number {
    return this.#front?.edges ?? 0;
  }

  /** Once a process, before anything is unsealed. @throws LedgerUnavailable */
  begin(): Promise<void> {
    return this.keys.started();
  }

  async unsealed(custody: OpenCustody): Promise<void> {
    this.keys.unsealed();
    const { credentials, notAfter } = await this.#credentials(custody);
    const front = await this.#listen(credentials);
    this.#front = front;
    this.#port = front.port;
    this.#renewal = this.#renewing(custody, front, notAfter);
    const { view } = this.deps;
    this.#unsubscribe = [
      view.onAccess((tenant, state, trace) => this.#accessChanged(tenant, state, trace)),
      view.onKey((tenant, key, event, trace) => this.#keyChanged(tenant, key, event, trace)),
      // Whoever holds a lease asks anew, and is told what it may do now.
      view.onPolicy((tenant, trace) => this.#notify(tenant, null, 'open', trace)),
      view.onEdge(() => void this.#front?.revalidate()),
      // The keystore said no: holders hear of it before the ledger does.
      this.keys.authority.onClosed((tenant, _code, trace) =>
        this.#notify(tenant, null, 'locked', trace),
      ),
    ];
  }

  /** At once. Sealing sends no Notify: leases end by themselves. */
  sealed(): void {
    for (const stop of this.#unsubscribe.splice(0)) stop();
    this.#renewal?.stop();
    this.keys.seal();
    const front = this.#front;
    this.#front = null;
    front?.close().catch((error: unknown) => this.deps.logger.warn({ err: error }, 'kmip close'));
    // Signatures and the authority went by handles of the region's keys. A call to a keystore keeps
    // its texts until it could have lasted no longer.
    for (const ms of [0, LIMITS.keystoreCallMsMax + 1_000]) collectSoon(ms);
  }

  async stop(): Promise<void> {
    this.sealed();
    await this.keys.stop();
  }

  /** Runs one item of a process manager's list. @throws KcmError: to be tried again */
  async run(effect: Effect, trace: ActContext): Promise<void> {
    if (effect.kind === 'issueReceipt') {
      const { seals, drivers, engines, seal, people, erasureKeeper } = this.deps;
      await issueReceipt(
        {
          effects: this.#effects,
          custody: () => seals.custody(),
          driver: (name) => drivers.get(name),
          directory: engines.directory,
          log: engines.log,
          seal,
          people,
          stores: () => erasureKeeper.trialGrade(),
        },
        effect,
        trace,
      );
      return;
    }
    await runKeyEffect(this.#effects, effect, trace);
    const { traceparent } = trace;
    if (effect.kind === 'shred') this.#notify(effect.tenant, null, 'killed', traceparent, true);
  }

  async #credentials(
    custody: OpenCustody,
  ): Promise<{ readonly credentials: ServerCredentials; readonly notAfter: string }> {
    const { region, host } = this.deps;
    const names = [...new Set(['localhost', '127.0.0.1', host])];
    const days = LIMITS.certificateDaysDefault;
    const issued = await custody.authority.issueServer(region, days, names);
    const { ca, certificate, notAfter } = issued;
    const privateKey = issued.privateKey.use((pem) => pem.toString('utf8'));
    issued.privateKey.dispose();
    return { credentials: { ca, certificate, privateKey }, notAfter };
  }

  #renewing(custody: OpenCustody, front: KmipFront, notAfter: string): CertificateRenewal {
    const { clock, logger } = this.deps;
    return new CertificateRenewal(
      {
        clock,
        scheduler: systemScheduler,
        renew: async () => {
          const next = await this.#credentials(custody);
          front.renew(next.credentials);
          return next.notAfter;
        },
        onFailed: (error) => logger.error({ err: error }, 'the kmip certificate was not renewed'),
      },
      notAfter,
    );
  }

  #listen(credentials: ServerCredentials): Promise<KmipFront> {
    const { region, view, host, clock, random, tracer, logger } = this.deps;
    return KmipFront.start({
      region,
      desk: this.keys.desk,
      view,
      credentials,
      host,
      port: this.#port,
      wallMs: () => clock.wallMs(),
      random,
      tracer,
      onAcknowledgement: (word, trace) => this.#acknowledgements.record(word, trace),
      onUsage: async ({ edge, statement, jws }) => {
        const { previous: _, ...told } = statement;
        const report = { holder: `edge:${edge}`, ...told, statement: jws };
        const leftOut = await this.keys.usage.record(report);
        if (leftOut > 0)
          logger.warn({ edge, leftOut }, 'an Edge tells of keys it was never granted');
      },
      onCloned: (edge, boot) => logger.error({ edge, boot }, 'the same Edge boot lives twice'),
      onRefused: (why, detail) => {
        this.deps.onTurnedAway(why);
        const untold = this.#turnedAway.tell(why);
        if (untold !== null) logger.info({ why, detail, untold }, 'kmip connection refused');
      },
      onAnswered: this.deps.onAnswered,
      onError: (error, operation, correlationId) =>
        logger.error({ err: error, operation, correlationId }, 'kmip failure'),
    });
  }

  #accessChanged(tenant: string, state: AccessState, traceparent?: string): void {
    for (const change of standingLocks(tenant, state))
      void this.#front?.notify({ ...change, traceparent });
  }

  #notify(
    tenant: string,
    service: string | null,
    access: KcmAccess,
    traceparent?: string,
    destroyed = false,
  ): void {
    const { term, epoch } = this.deps.view.access(tenant);
    void this.#front?.notify({ tenant, service, access, term, epoch, destroyed, traceparent });
  }

  #keyChanged(tenant: string, key: string, event: KeyEvent, traceparent?: string): void {
    const { view } = this.deps;
    const state = view.keys(tenant).get(key);
    if (state === undefined) return;
    const { term, epoch } = view.access(tenant);
    for (const change of keyChanges(tenant, key, state, event))
      void this.#front?.changed({ ...change, tenant, term, epoch, traceparent });
  }
}
