import { type DynamicModule, Module } from '@nestjs/common';
import type { StreamStates } from '@kcm/application';
import type { Recording } from '@kcm/kernel';
import type { DriverRegistry } from '@kcm/keystores';
import { AuditController } from './audit.controller.js';
import { BlockingController } from './blocking.controller.js';
import { EarlyLocks } from './early-locks.js';
import { EventStreams } from './event-streams.js';
import { EventsController } from './events.controller.js';
import { KeyStatesController } from './key-states.controller.js';
import { KeyViews } from './key-views.js';
import { KeyVersionsController } from './key-versions.controller.js';
import { KeyExposuresController } from './key-exposures.controller.js';
import { KeysController } from './keys.controller.js';
import { KeystoresController } from './keystores.controller.js';
import { LeasesController } from './leases.controller.js';
import { OperationsController } from './operations.controller.js';
import { DRIVERS, FORESIGHT, RECORDING, REGION_KEYS, type RegionKeysSource } from './ports.js';
import { RevocationsController } from './revocations.controller.js';
import { RootKeysController } from './root-keys.controller.js';
import { ServicesController } from './services.controller.js';
import { TenantViews } from './tenant-views.js';
import { TenantsController } from './tenants.controller.js';
import { TrustController } from './trust.controller.js';
import { Waiting } from './waiting.js';

/** The customers' door: commands for the deciders, queries for the read models; no key is here. */
@Module({})
export class CmkModule {
  static register(deps: {
    readonly drivers: DriverRegistry;
    readonly regionKeys: RegionKeysSource;
    readonly foresight: Pick<StreamStates, 'foresee' | 'reached'>;
    readonly recording: Recording | null;
  }): DynamicModule {
    return {
      module: CmkModule,
      controllers: [
        TenantsController,
        BlockingController,
        ServicesController,
        KeystoresController,
        RootKeysController,
        RevocationsController,
        TrustController,
        KeysController,
        KeyStatesController,
        KeyExposuresController,
        KeyVersionsController,
        AuditController,
        EventsController,
        LeasesController,
        OperationsController,
      ],
      providers: [
        TenantViews,
        KeyViews,
        EarlyLocks,
        EventStreams,
        Waiting,
        { provide: DRIVERS, useValue: deps.drivers },
        { provide: FORESIGHT, useValue: deps.foresight },
        { provide: RECORDING, useValue: deps.recording },
        { provide: REGION_KEYS, useValue: deps.regionKeys },
      ],
    };
  }
}
