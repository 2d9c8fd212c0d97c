import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { assertLedgerWhole, ProjectionRunner } from '@kcm/application';
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

/** Folds the ledger into the read models, in a process of its own or within another. */
export class ProjectorPart implements ProgramPart {
  readonly modules: readonly DynamicModule[];
  readonly sealStatus: SealStatus;
  readonly ending: ProgramPart['ending'];
  readonly #runner: ProjectionRunner;

  constructor(
    private readonly ground: Ground<'ledger' | 'readModels'>,
    door: Pick<Door, 'states'>,
  ) {
    const { engines, tracing } = ground;
    const { readModels } = engines;
    const stores = { writer: readModels, reader: readModels, tracer: tracing.tracer };
    const deps = { ...feedsOf(ground), ...stores, report: foldReport(ground) };
    const runner = new ProjectionRunner(deps, projections);
    this.#runner = runner;
    this.sealStatus = recordedSeal(door);
    this.modules = [
      {
        module: ProjectorModule,
        controllers: [ProjectionsController],
        providers: [{ provide: RUNNER, useValue: runner }],
      },
    ];
    this.ending = { doors: [], work: [], folds: [() => runner.stop()], last: [] };
  }

  folds(): readonly Fold[] {
    return this.#runner.health();
  }
  async begin(): Promise<void> {
    const { ledger, readModels } = this.ground.engines;
    await assertLedgerWhole(ledger, readModels, projections);
    this.#runner.start();
  }
  watch(): void {}
  run(): void {}
  serve(): Promise<object> {
    return Promise.resolve({});
  }
}
