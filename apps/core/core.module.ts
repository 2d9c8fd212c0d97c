import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Commands } from '@kcm/application';
import { type CoreView, SealService } from '@kcm/custody';
import type { Recording } from '@kcm/kernel';
import { LogController } from './log.controller.js';
import { CredentialsController } from './sys/credentials.controller.js';
import { EdgesController } from './sys/edges.controller.js';
import { type RegionHooks, RegionService } from './sys/region-service.js';
import { SealController } from './sys/seal.controller.js';

export interface CoreModuleDeps {
  readonly region: string;
  readonly boot: string;
  readonly seals: SealService;
  readonly view: CoreView;
  readonly hooks: RegionHooks;
  readonly recording: Recording;
}

/** Core's own routes: seal, tokens and certificates, Edges, the log. Its data door is KMIP. */
@Global()
@Module({})
export class CoreModule {
  static register(deps: CoreModuleDeps): DynamicModule {
    const { region, boot, seals, view, hooks, recording } = deps;
    return {
      module: CoreModule,
      controllers: [SealController, CredentialsController, EdgesController, LogController],
      providers: [
        { provide: SealService, useValue: seals },
        {
          provide: RegionService,
          inject: [Commands],
          useFactory: (commands: Commands) =>
            new RegionService(region, boot, seals, commands, view, hooks, recording),
        },
      ],
      exports: [RegionService],
    };
  }
}
