import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamicModule } from '@nestjs/common';
import { assertLedgerWhole, assertLogIsOf, processProjection } from '@kcm/application';
import type { OpenCustody } from '@kcm/custody';
import { systemScheduler } from '@kcm/kernel';
import type { SealStatus } from '@kcm/platform';
import {
  type Door,
  type Endpoints,
  type Fold,
  type Health,
  type Late,
  LOG_FOLD,
  type ProgramPart,
  type WatchedDoor,
} from '@kcm/platform';
import { processes } from '@kcm/processes';
import type { Projection } from '@kcm/read-models';
import { composeCore, type CoreGround, type CoreParts } from './composition.js';
import { CoreModule } from './core.module.js';
import { adoptKeyrings } from './erasure/keyrings.js';
import { eraseShredded } from './erasure/shredded.js';
import { watchCore } from './health/index.js';
import { watchCoreFigures } from './metrics/index.js';
import { assertErasureStoreIsOurs, assertLedgerIsTheirs, findLosses } from './stores.js';
import { AutoUnseal } from './sys/auto-unseal.js';
import { RegionService } from './sys/region-service.js';
import { assertSealKeystore } from './sys/seal-keystore.js';
import { keepUnsealKey, readUnsealKey } from './unseal-key.js';

/** For the last try to record what acts already. */
const LAST_RECORDS_MS = 2_000;

/** What lives in Core's process and has to do with the seal. */
export interface Beside {
  /** Core's KMIP door is open. */
  unsealed(kmipPort: number): Promise<void>;
  /** At once. */
  sealed(): void;
  /** What else stands in endpoints.json. */
  endpoints(): Omit<Endpoints, 'http' | 'kmip'>;
}
const NOTHING: Beside = {
  unsealed: () => Promise.resolve(),
  sealed: () => {},
  endpoints: () => ({}),
};

/** Core in its process: its start, its unseal and its end. */
export class CorePart implements ProgramPart {
  readonly parts: CoreParts;
  readonly modules: readonly DynamicModule[];
  readonly sealStatus: SealStatus;
  readonly ending: ProgramPart['ending'];
  readonly #autoUnseal: AutoUnseal;
  #http = '';
  #unseals = 0;

  constructor(
    private readonly ground: CoreGround,
    door: Door,
    private readonly late: Late,
    private readonly beside: Beside = NOTHING,
    /** What else is folded in this process: each must have come no further than the ledger. */
    private readonly projections: readonly Projection<unknown>[] = [],
  ) {
    this.parts = composeCore(ground, door, {
      commands: late.commands,
      replaced: () => late.end('another process writes the journal of this one: stopping'),
    });
    const { region, boot, seals, states, recording, core, host, log, erasureKeeper } = this.parts;
    const { resealing } = this.parts;
    const autoUnseal = (this.#autoUnseal = this.#autoUnsealing());
    this.sealStatus = { sealed: () => seals.sealed };
    const hooks = {
      onUnsealed: (custody: OpenCustody) => this.#unsealed(custody),
      onSealed: () => this.#sealed(),
      onSealAsked: () => autoUnseal.stop(),
      onWaiting: () => autoUnseal.start(),
    };
    const sealed = { seals, resealing, view: states, hooks };
    this.modules = [CoreModule.register({ region, boot, ...sealed, recording })];
    this.ending = {
      doors: [],
      work: [
        () => autoUnseal.stop(),
        () => core.sealed(),
        () => resealing.stop(),
        () => host.stop(),
        () => recording.end(LAST_RECORDS_MS),
        () => core.stop(),
        () => erasureKeeper.stop(),
      ],
      folds: [() => log.stop()],
      last: [() => seals.seal()],
    };
  }

  get initialized(): boolean {
    return this.parts.states.region().status !== 'uninitialized';
  }

  folds(): readonly Fold[] {
    const { log, host } = this.parts;
    return [{ name: LOG_FOLD, ...log.health() }, ...host.health()];
  }

  async begin(): Promise<void> {
    await assertSealKeystore(this.ground.config);
    const { core, log, erasureKeeper } = this.parts;
    await this.#assertWhole();
    await this.#putRight();
    await erasureKeeper.start();
    log.start();
    await core.begin();
  }

  /** A copy that is away does not keep the others from being served: it has to come back for this. */
  async #putRight(): Promise<void> {
    const { logger, engines } = this.ground;
    try {
      const adopted = await adoptKeyrings(engines.vault, engines.erasure);
      if (adopted > 0)
        logger.warn(
          { adopted },
          'the vault is of before a rotation: its keyring is now that of the erasure store',
        );
      const count = await eraseShredded(this.parts.states, engines.erasure);
      if (count > 0)
        logger.warn({ count }, 'erasure keys of shredded tenants were back: erased again');
    } catch (error) {
      logger.error({ err: error }, 'what was put back was not put right');
    }
  }

  async #assertWhole(): Promise<void> {
    const { engines, program, random } = this.ground;
    const { ledger, readModels } = engines;
    if (program === 'core') await assertErasureStoreIsOurs(engines, random);
    if (!this.initialized) await assertLedgerIsTheirs(engines);
    const folds = [...this.projections, ...processes.map(processProjection)];
    await assertLedgerWhole(ledger, readModels, folds);
    const { region } = this.parts;
    await assertLogIsOf({ region, ledger, state: await engines.log.state() });
  }

  async watch(health: Health, { clock }: WatchedDoor): Promise<void> {
    watchCore(health, { ...this.parts, autoUnseal: this.#autoUnseal }, clock);
    watchCoreFigures(this.ground.metrics, this.parts, clock);
    const losses = await findLosses(this.ground.engines, this.parts.states);
    health.add('stores', () => losses);
  }

  run(): void {
    this.parts.host.start();
  }

  async serve(http: string): Promise<Omit<Endpoints, 'http'> | null> {
    this.#http = http;
    const state = this.parts.states.region();
    const byKey = state.status === 'uninitialized' || state.config.seal === 'auto';
    if (this.ground.config.KCM_SEAL === 'auto' && byKey) {
      await this.#unsealItself();
      return null;
    }
    // endpoints.json says first that it is sealed.
    systemScheduler.after(0, () => this.#autoUnseal.start());
    return {};
  }

  #autoUnsealing(): AutoUnseal {
    const { boot, own, seals, states } = this.parts;
    return new AutoUnseal({
      scheduler: systemScheduler,
      random: this.ground.random,
      waits: () => {
        const state = states.region();
        return seals.sealed && state.status !== 'uninitialized' && state.config.seal === 'keystore';
      },
      unseal: () => {
        const context = own(`unseal ${boot} ${(this.#unseals += 1)}`);
        return this.late.app().get(RegionService).unsealByKeystore(context);
      },
      report: ({ code, message: detail }) =>
        this.ground.logger.warn(
          { code, detail },
          'the keystore of the seal does not open the region',
        ),
    });
  }

  async #unsealItself(): Promise<void> {
    const { boot, own, dataDir } = this.parts;
    const region = this.late.app().get(RegionService);
    if (!this.initialized) {
      await region.init({ seal: 'auto' }, own('init'), ([share]) => keepUnsealKey(dataDir, share!));
    }
    await region.unseal(readUnsealKey(dataDir), own(`unseal ${boot}`));
  }

  async #unsealed(custody: OpenCustody): Promise<void> {
    const { core, host, dataDir } = this.parts;
    writeFileSync(join(dataDir, 'ca.pem'), custody.keys.ca);
    await core.unsealed(custody);
    await this.beside.unsealed(core.kmipPort!);
    host.retryNow();
    const kmip = `${this.ground.config.KCM_BIND}:${core.kmipPort}`;
    this.late.endpoints.write({ http: this.#http, kmip, ...this.beside.endpoints() });
  }

  /** Core's door closes; Edges go on to the end of their leases. */
  #sealed(): void {
    const { endpoints } = this.late;
    this.parts.core.sealed();
    this.beside.sealed();
    try {
      endpoints.write({ http: this.#http, ...this.beside.endpoints() });
    } catch (error) {
      // A full disk does not keep the region open; a door that is closed must not be named.
      endpoints.remove();
      this.ground.logger.warn({ err: error }, 'endpoints.json was not written');
    }
  }
}
