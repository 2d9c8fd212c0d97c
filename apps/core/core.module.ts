import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Commands } from '@kcm/application';
import { type CoreView, SealService } from '@kcm/custody';
import type { Recording } from '@kcm/kernel';
import { Authenticator, SealStatus } from '@kcm/platform';
import { CredentialsController } from './sys/credentials.controller.js';
import { EdgesController } from './sys/edges.controller.js';
import { type RegionHooks, RegionService } from './sys/region-service.js';
import { SealController } from './sys/seal.controller.js';

export interface CoreModuleDeps {
  readonly region: string;
  readonly boot: string;
  readonly seals: SealService;
  readonly view: CoreView;
  readonly authenticator: Authenticator;
  readonly hooks: RegionHooks;
  readonly recording: Recording;
}

/** Core's own routes: seal, tokens and certificates, Edges. Its data door is KMIP. */
@Global()
@Module({})
export class CoreModule {
  static register(deps: CoreModuleDeps): DynamicModule {
    const { region, boot, seals, view, hooks, recording } = deps;
    const sealStatus: SealStatus = { sealed: () => seals.sealed };
    return {
      module: CoreModule,
      controllers: [SealController, CredentialsController, EdgesController],
      providers: [
        { provide: SealService, useValue: seals },
        { provide: Authenticator, useValue: deps.authenticator },
        { provide: SealStatus, useValue: sealStatus },
        {
          provide: RegionService,
          inject: [Commands],
          useFactory: (commands: Commands) =>
            new RegionService(region, boot, seals, commands, view, hooks, recording),
        },
      ],
      exports: [Authenticator, SealStatus, RegionService],
    };
  }
}
