import { Inject, Injectable } from '@nestjs/common';
import { type CommandContext, Commands, type StreamStates, type TakeLock } from '@kcm/application';
import { KcmError, LIMITS, streamOf, systemScheduler } from '@kcm/kernel';
import { FORESIGHT } from './ports.js';

/** What says nothing about whether the lock may be taken. */
const UNDECIDED: ReadonlySet<string> = new Set([
  'ledger_unavailable',
  'revision_conflict',
  'internal',
]);

/** Locks that people take while the ledger takes nothing: they act first and are recorded later. */
@Injectable()
export class EarlyLocks {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(FORESIGHT) private readonly view: Pick<StreamStates, 'foresee' | 'reached'>,
  ) {}

  /** Acts when it returns; recorded as soon as the ledger can, or lost with the process. */
  take(tenant: string, lock: TakeLock, context: CommandContext, guard: () => Promise<void>): void {
    const takeBack = this.view.foresee(tenant, lock);
    const record = async (attempt: number): Promise<void> => {
      try {
        const stream = streamOf('access', tenant);
        const { position } = await this.commands.run('access', stream, lock, context, guard);
        if (position !== null) await this.view.reached(position);
      } catch (error) {
        if (!(error instanceof KcmError) || UNDECIDED.has(error.code)) {
          const ms = Math.min(LIMITS.retryMsMax, LIMITS.retryMsMin * 2 ** Math.min(attempt, 16));
          systemScheduler.after(ms, () => void record(attempt + 1));
          return;
        }
        // Refused meanwhile, a kill by another for one: then that holds.
      }
      takeBack();
    };
    void record(0);
  }
}
