import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { assertLedgerWhole, ProjectionRunner, Relay } from '@kcm/application';
import {
  type Door,
  feedsOf,
  type Fold,
  foldReport,
  type Ground,
  type ProgramPart,
  recordedSeal,
  type SealStatus,
} from '@kcm/platform';
import { projections } from '@projections/all';
import { ProjectionsController, RUNNER } from './projections.controller.js';

@Module({})
class ProjectorModule {}

/** What it stands on besides what answering over HTTP needs. */
type ProjectorEngine = 'ledger' | 'readModels' | 'outbox';

/** Folds the ledger into the read models, and sends its events on, in a process of its own or within another. */
export class ProjectorPart implements ProgramPart {
  readonly modules: readonly DynamicModule[];
  readonly sealStatus: SealStatus;
  readonly ending: ProgramPart['ending'];
  readonly #runner: ProjectionRunner;
  readonly #relay: Relay | null;

  constructor(
    private readonly ground: Ground<ProjectorEngine>,
    door: Pick<Door, 'states' | 'region'>,
  ) {
    const { engines, tracing } = ground;
    const { readModels } = engines;
    const stores = { writer: readModels, reader: readModels, tracer: tracing.tracer };
    const deps = { ...feedsOf(ground), ...stores, report: foldReport(ground) };
    const runner = new ProjectionRunner(deps, projections);
    this.#runner = runner;
    const { publisher } = engines.outbox;
    const relay =
      publisher && new Relay({ ...deps, region: door.region, publisher, checkpoints: readModels });
    this.#relay = relay;
    this.sealStatus = recordedSeal(door);
    this.modules = [
      {
        module: ProjectorModule,
        controllers: [ProjectionsController],
        providers: [{ provide: RUNNER, useValue: runner }],
      },
    ];
    this.ending = {
      doors: [],
      work: [],
      folds: [() => runner.stop(), () => relay?.stop()],
      last: [],
    };
  }

  folds(): readonly Fold[] {
    return [...this.#runner.health(), ...(this.#relay?.health() ?? [])];
  }
  async begin(): Promise<void> {
    const { ledger, readModels } = this.ground.engines;
    await assertLedgerWhole(ledger, readModels, projections);
    this.#runner.start();
    this.#relay?.start();
  }
  watch(): void {}
  run(): void {}
  serve(): Promise<object> {
    return Promise.resolve({});
  }
}
