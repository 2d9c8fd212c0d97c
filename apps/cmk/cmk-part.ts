import type { DynamicModule } from '@nestjs/common';
import type { RegionKeys } from '@kcm/domain';
import { KcmError, type Recording } from '@kcm/kernel';
import type { DriverRegistry } from '@kcm/keystores';
import {
  type Door,
  type Fold,
  type Health,
  type ProgramPart,
  recordedSeal,
  type SealStatus,
  type WatchedDoor,
} from '@kcm/platform';
import { CmkModule } from './cmk.module.js';

/** The customers' door, in a process of its own or within another. */
export class CmkPart implements ProgramPart {
  readonly modules: readonly DynamicModule[];
  readonly #recorded: SealStatus;
  readonly ending: ProgramPart['ending'] = { doors: [], work: [], folds: [], last: [] };

  /** `recording`: for locks that act before their record; null: Core is another process. */
  constructor(
    { states }: Pick<Door, 'states'>,
    drivers: DriverRegistry,
    recording: Recording | null,
  ) {
    this.#recorded = recordedSeal({ states });
    const regionKeys = { keys: () => keysOf(states) };
    this.modules = [CmkModule.register({ drivers, regionKeys, foresight: states, recording })];
  }

  /** As recorded. */
  get sealStatus(): SealStatus {
    return this.#recorded;
  }
  folds(): readonly Fold[] {
    return [];
  }
  async begin(): Promise<void> {}
  watch(_health: Health, _door: WatchedDoor): void {}
  run(): void {}
  serve(): Promise<object> {
    return Promise.resolve({});
  }
}

/** @throws KcmError sealed while the region is not initialized */
function keysOf(states: Door['states']): RegionKeys {
  const state = states.region();
  if (state.status === 'uninitialized')
    throw new KcmError('sealed', 'This region is not initialized yet.');
  return state.config.keys;
}
