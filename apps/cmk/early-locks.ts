import { Inject, Injectable } from '@nestjs/common';
import {
  type CommandContext,
  Commands,
  type Handled,
  type StreamStates,
  type TakeLock,
} from '@kcm/application';
import type { EventOf } from '@kcm/domain';
import { isUndecided, KcmError, type Recording, streamOf } from '@kcm/kernel';
import { FORESIGHT, RECORDING } from './ports.js';

const LOCKED_UNRECORDED =
  'The ledger takes nothing now. The lock acts already and is recorded as soon as the ledger can; ' +
  'until then it ends with this process. Send the same request again to know.';

interface Early {
  readonly tenant: string;
  readonly lock: TakeLock;
  readonly context: CommandContext;
  readonly record: () => Promise<Handled>;
}

/**
 * How people lock: while the ledger takes nothing a lock acts first and is recorded later, where
 * Core is in this process.
 */
@Injectable()
export class EarlyLocks {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(FORESIGHT) private readonly view: Pick<StreamStates, 'foresee' | 'reached'>,
    @Inject(RECORDING) private readonly recording: Pick<Recording, 'add' | 'has' | 'now'> | null,
  ) {}

  /**
   * @param prepare runs before the record: what must be there when it is
   * @throws not_found · the decider's refusals · ledger_unavailable: the lock acts if its words say so
   */
  async take(
    tenant: string,
    lock: TakeLock,
    context: CommandContext,
    prepare: () => Promise<void> = async () => {},
  ): Promise<Handled<EventOf<'access'>>> {
    const key = ['lock', tenant, lock.lockKind, JSON.stringify(lock.scope)].join(' ');
    const record = () =>
      this.commands.run('access', streamOf('access', tenant), lock, context, async () => {
        await this.#assertThere(tenant, lock);
        await prepare();
      });
    try {
      const handled = await record();
      // One that waits finds this one held, before anybody can have lifted it.
      this.recording?.now(key);
      return handled;
    } catch (error) {
      const { recording } = this;
      const early = error instanceof KcmError && error.code === 'ledger_unavailable';
      if (!early || recording === null) throw error;
      await this.#assertThere(tenant, lock);
      this.#early(recording, key, { tenant, lock, context, record });
      throw new KcmError(error.code, LOCKED_UNRECORDED);
    }
  }

  /** Acts when it returns. The same lock asked for again joins the one that waits. */
  #early(
    recording: Pick<Recording, 'add' | 'has'>,
    key: string,
    { tenant, lock, context, record }: Early,
  ): void {
    if (recording.has(key)) return;
    const { actor, commandId } = context;
    const takeBack = this.view.foresee(tenant, lock);
    const act = { act: `lock ${lock.lockKind}`, tenant, actor, commandId };
    recording.add(key, act, async () => {
      try {
        const { position } = await record();
        if (position !== null) await this.view.reached(position);
      } catch (error) {
        // Refused meanwhile, a kill by another for one: then that holds.
        if (!isUndecided(error)) takeBack();
        throw error;
      }
      takeBack();
    });
  }

  async #assertThere(tenant: string, { scope }: TakeLock): Promise<void> {
    const state = await this.commands.state('tenant', streamOf('tenant', tenant));
    if (state.status === 'absent') throw new KcmError('not_found', 'There is no such resource.');
    if ('service' in scope && !state.services.has(scope.service)) {
      throw new KcmError('not_found', 'No such service.');
    }
  }
}
