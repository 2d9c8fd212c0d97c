import { type CoreView, holderName, l3KeyId } from '@kcm/custody';
import { locksOf, type OpenedRevocation } from '@kcm/domain';
import { type Clock, commandIdOf, KcmError, streamOf, parseKeyVersionUid } from '@kcm/kernel';
import type { AckStatement } from '@kcm/kmip';
import type { Dispatch } from './effects/index.js';
import type { Signed } from './kmip/statements.js';

/** So long a word of a holder waits for the record of the lock that it answers. */
const WAITS_MS = 30_000;
/** Words that wait at once; a holder that floods displaces the oldest. */
const WAITING_MAX = 10_000;

/**
 * A holder's signed word goes to every revocation that it answers. A notice may be faster than the
 * record of the lock: then the holder is told to come again.
 */
export class Acknowledgements {
  /** When a word that answers nothing yet came first, monotonic ms: its holder's clock may be off. */
  readonly #waiting = new Map<string, number>();

  constructor(
    private readonly view: CoreView,
    private readonly dispatch: Dispatch,
    private readonly clock: Clock,
  ) {}

  /**
   * Resolves when it is recorded. @throws KcmError wrong_state: come again · the ledger's errors
   */
  async record(word: Signed<AckStatement>, traceparent?: string): Promise<void> {
    const { statement } = word;
    const tenant = parseKeyVersionUid(statement.uid)!.tenant;
    const held = locksOf(this.view.access(tenant)).filter((lock) => lock.kind !== 'blocked');
    if (held.length === 0) {
      // Lifted meanwhile, or a block, which opens no revocation: nothing is left to answer.
      if (this.view.access(tenant).epoch > statement.epoch || this.#waitedOut(word)) return;
      throw comeAgain();
    }
    for (const { lock } of held) await this.#record(tenant, lock, word, traceparent);
  }

  #waitedOut({ edge, statement }: Signed<AckStatement>): boolean {
    const { boot, uid, term, epoch, refusedAt } = statement;
    const word = [edge, boot, uid, term, epoch, refusedAt].join(' ');
    const now = this.clock.monotonicMs();
    const since = this.#waiting.get(word) ?? now;
    this.#waiting.delete(word);
    if (now - since > WAITS_MS) return true;
    this.#waiting.set(word, since);
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > WAITING_MAX && oldest !== undefined) this.#waiting.delete(oldest);
    return false;
  }

  async #record(
    tenant: string,
    revocation: string,
    { edge, boot, statement, jws, certificateSha256 }: Signed<AckStatement>,
    traceparent: string | undefined,
  ): Promise<void> {
    const known = this.view.revocations(tenant).get(revocation);
    if (known === undefined || known.status === 'absent') throw comeAgain();
    if (!answers(statement, known.locked)) return;
    const holder = holderName({ edge, boot });
    if (known.acknowledged.has(`${holder}/${boot}`)) return;
    const { refusedAt, erasedAt } = statement;
    await this.dispatch(
      {
        kind: 'revocation',
        stream: streamOf('revocation', tenant, revocation),
        command: {
          kind: 'RecordAcknowledgement',
          acknowledgement: {
            holder,
            boot,
            refusedAt,
            erasedAt: erasedAt === 'dropped-unconfirmed' ? null : erasedAt,
            statement: jws,
            certificateSha256,
          },
        },
      },
      {
        actor: holder,
        tenant,
        correlationId: revocation,
        causationId: revocation,
        traceparent,
        commandId: commandIdOf(['acknowledgement', tenant, revocation, holder, boot]),
      },
    );
  }
}

/**
 * Whether a word speaks of this lock. Its holder may have been told before the record, with the pair
 * that was the last one then; a word of a lock that was lifted before this one lies further back.
 */
function answers(
  { uid, epoch }: AckStatement,
  { scope, epoch: locked }: OpenedRevocation['locked'],
): boolean {
  if (epoch < locked - 1) return false;
  const { tenant, key } = parseKeyVersionUid(uid)!;
  return key.startsWith('l2-') || ('service' in scope && key === l3KeyId(tenant, scope.service));
}

const comeAgain = () => new KcmError('wrong_state', 'The lock is not recorded yet; come again.');
