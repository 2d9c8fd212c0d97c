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
  static register(engines: Partial<Engines>): DynamicModule {
    const { ledger, vault, erasure, directory, log, readModels } = engines;
    const providers = [
      { provide: Ledger, useValue: ledger },
      { provide: Vault, useValue: vault },
      { provide: ErasureStore, useValue: erasure },
      { provide: Directory, useValue: directory },
      { provide: LogStore, useValue: log },
      { provide: ReadModelReader, useValue: readModels },
      { provide: ReadModelWriter, useValue: readModels },
      { provide: ReadModelWatcher, useValue: readModels },
    ].filter(({ useValue }) => useValue !== undefined);
    return { module: EnginesModule, providers, exports: providers };
  }
}
