import {
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Ledger } from '@kcm/ledger';
import { ReadModelReader, ReadModelWriter } from '@kcm/read-models';
import { Directory, ErasureStore, Vault } from '@kcm/vault';
import type { Engines } from './engines.js';

const ENGINES = Symbol('Engines');

/** The stores behind the ports, as they were opened; closed last. */
@Global()
@Module({})
export class EnginesModule implements OnApplicationShutdown {
  constructor(@Inject(ENGINES) private readonly engines: Engines) {}

  static register(engines: Engines): DynamicModule {
    const providers = [
      { provide: ENGINES, useValue: engines },
      { provide: Ledger, useValue: engines.ledger },
      { provide: Vault, useValue: engines.vault },
      { provide: ErasureStore, useValue: engines.erasure },
      { provide: Directory, useValue: engines.directory },
      { provide: ReadModelReader, useValue: engines.readModels },
      { provide: ReadModelWriter, useValue: engines.readModels },
    ];
    return { module: EnginesModule, providers, exports: providers };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.engines.close();
  }
}
