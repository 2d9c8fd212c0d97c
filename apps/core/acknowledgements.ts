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
/** What stands for the time at which a key was erased, where none was or nobody saw it. */
const UNERASED: ReadonlySet<string> = new Set(['dropped-unconfirmed', 'kept']);

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
    /** True while a lock of this tenant acts that the keystore's answer took and no record shows. */
    private readonly unrecorded: (tenant: string) => boolean,
  ) {}

  /**
   * Resolves when it is recorded, or there is nothing left that it could answer.
   * @throws KcmError wrong_state: come again · invalid_request: it answers nothing · the ledger's
   * errors
   */
  async record(word: Signed<AckStatement>, traceparent?: string): Promise<void> {
    const { statement } = word;
    const tenant = parseKeyVersionUid(statement.uid)!.tenant;
    const access = this.view.access(tenant);
    const locks = locksOf(access);
    const held = locks.filter((lock) => lock.kind !== 'blocked');
    if (held.length === 0) {
      const waits = nameOf(word);
      if (this.unrecorded(tenant)) this.#waiting.delete(waits);
      // Lifted meanwhile.
      else if (access.epoch > statement.epoch) return;
      else if (this.#waitedOut(waits)) {
        // A block opens no revocation.
        if (locks.length > 0) return;
        throw new KcmError('invalid_request', 'There is no lock that this word answers.');
      }
      throw comeAgain();
    }
    for (const { lock } of held) await this.#record(tenant, lock, word, traceparent);
  }

  #waitedOut(word: string): boolean {
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
            erasedAt: UNERASED.has(erasedAt) ? null : erasedAt,
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
 * Who kept its keys answers a read-only alone; who dropped them answers one too.
 */
function answers(
  { uid, epoch, erasedAt }: AckStatement,
  { kind, scope, epoch: locked }: OpenedRevocation['locked'],
): boolean {
  if (epoch < locked - 1 || (erasedAt === 'kept' && kind !== 'read-only')) return false;
  const { tenant, key } = parseKeyVersionUid(uid)!;
  return key.startsWith('l2-') || ('service' in scope && key === l3KeyId(tenant, scope.service));
}

function nameOf({ edge, statement }: Signed<AckStatement>): string {
  const { boot, uid, term, epoch, refusedAt } = statement;
  return [edge, boot, uid, term, epoch, refusedAt].join(' ');
}

const comeAgain = () => new KcmError('wrong_state', 'The lock is not recorded yet; come again.');
