import { type DynamicModule, Module } from '@nestjs/common';
import type { ProjectionRunner } from '@kcm/application';
import { ProjectionsController, RUNNER } from './projections.controller.js';

/** All of it in one process: the parts are handed in as they were started. */
@Module({})
export class StandaloneModule {
  static register(parts: DynamicModule[], runner: ProjectionRunner): DynamicModule {
    return {
      module: StandaloneModule,
      imports: parts,
      controllers: [ProjectionsController],
      providers: [{ provide: RUNNER, useValue: runner }],
    };
  }
}
