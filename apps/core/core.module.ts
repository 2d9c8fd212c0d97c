import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Commands } from '@kcm/application';
import { type Resealing, SealService } from '@kcm/custody';
import type { Recording } from '@kcm/kernel';
import { LogController } from './log.controller.js';
import { BackupController } from './sys/backup.controller.js';
import { CredentialsController } from './sys/credentials.controller.js';
import { EdgeTakeoverController } from './sys/edge-takeover.controller.js';
import { EdgesController } from './sys/edges.controller.js';
import { type RegionHooks, RegionService, type RegionView } from './sys/region-service.js';
import { RekeyController } from './sys/rekey.controller.js';
import { SealController } from './sys/seal.controller.js';
import { CORE_VIEW } from './sys/tokens.js';

export interface CoreModuleDeps {
  readonly region: string;
  readonly boot: string;
  readonly seals: SealService;
  readonly view: RegionView;
  readonly hooks: RegionHooks;
  readonly resealing: Resealing;
  readonly recording: Recording;
}

/** Core's own routes: seal, tokens and certificates, Edges, the log. Its data door is KMIP. */
@Global()
@Module({})
export class CoreModule {
  static register(deps: CoreModuleDeps): DynamicModule {
    const { region, boot, seals, view, hooks, resealing, recording } = deps;
    return {
      module: CoreModule,
      controllers: [
        SealController,
        RekeyController,
        BackupController,
        CredentialsController,
        EdgesController,
        EdgeTakeoverController,
        LogController,
      ],
      providers: [
        { provide: SealService, useValue: seals },
        { provide: CORE_VIEW, useValue: view },
        {
          provide: RegionService,
          inject: [Commands],
          useFactory: (commands: Commands) =>
            new RegionService(region, boot, seals, commands, view, hooks, resealing, recording),
        },
      ],
      exports: [RegionService],
    };
  }
}
