import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Ledger } from '@kcm/ledger';
import { LogStore } from '@kcm/origin-log';
import { ReadModelReader, ReadModelWatcher, ReadModelWriter } from '@kcm/read-models';
import { Directory, ErasureStore, Vault } from '@kcm/vault';
import type { Engines } from './engines.js';

/** The stores behind the ports, as they were opened; who opened them closes them. */
@Global()
@Module({})
export class EnginesModule {
  static register(engines: Engines): DynamicModule {
    const providers = [
      { provide: Ledger, useValue: engines.ledger },
      { provide: Vault, useValue: engines.vault },
      { provide: ErasureStore, useValue: engines.erasure },
      { provide: Directory, useValue: engines.directory },
      { provide: LogStore, useValue: engines.log },
      { provide: ReadModelReader, useValue: engines.readModels },
      { provide: ReadModelWriter, useValue: engines.readModels },
      { provide: ReadModelWatcher, useValue: engines.readModels },
    ];
    return { module: EnginesModule, providers, exports: providers };
  }
}
