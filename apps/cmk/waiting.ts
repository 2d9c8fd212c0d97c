import { Inject, Injectable } from '@nestjs/common';
import { type Handled, Queries } from '@kcm/application';
import { type Code, KcmError, LIMITS, type Step } from '@kcm/kernel';
import { Answers } from '@kcm/platform';
import type { OperationDoc } from '@projections/operations';
import type { FastifyReply } from 'fastify';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS_MIN = 10;
const POLL_MS_MAX = 200;

/** Waits for what a command set going; the outcome is an event, read from the read models. */
@Injectable()
export class Waiting {
  constructor(
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Answers) private readonly answers: Answers,
  ) {}

  /**
   * The first answer that is not null within the time that the caller prefers. Else null, and the
   * reply says 202 with the operation's Location.
   */
  async until<T>(
    reply: FastifyReply,
    operation: string,
    look: () => Promise<T | null>,
  ): Promise<T | null> {
    const end = performance.now() + preferredWaitMs(reply.request.headers['prefer']);
    for (let pause = POLL_MS_MIN; ; pause = Math.min(pause * 1.5, POLL_MS_MAX)) {
      const found = await look();
      if (found !== null) return found;
      if (performance.now() + pause >= end) break;
      await sleep(pause);
    }
    stillAtWork(reply, operation);
    return null;
  }

  /**
   * What a command wrote, once the operation that it set going has finished or the time is over.
   * @throws as `finished`
   */
  async settled(reply: FastifyReply, handled: Handled, operation: string) {
    const token = this.answers.accepted(reply, handled);
    // Nothing written is nothing begun.
    if (handled.events.length > 0) await this.finished(reply, operation);
    return token;
  }

  /**
   * Whether the operation finished in time; if not, the reply says 202 with its Location.
   * @throws KcmError with the code and step of an operation that failed
   */
  async finished(reply: FastifyReply, operation: string): Promise<boolean> {
    const done = await this.until(reply, operation, async () => {
      const found = await this.queries.get<OperationDoc>('operations', operation);
      return found === null || found.state === 'pending' ? null : found;
    });
    if (done?.state === 'failed') throw failureOf(done);
    return done !== null;
  }
}

export function stillAtWork(reply: FastifyReply, operation: string): void {
  void reply.status(202).header('Location', `/v1/operations/${operation}`);
}

/** `Prefer: wait=N` (RFC 7240 §4.3), seconds; at most 10. */
function preferredWaitMs(prefer: string | string[] | undefined): number {
  const match = /(?:^|[,;\s])wait=(\d{1,4})/.exec([prefer ?? ''].flat().join(','));
  return match === null
    ? LIMITS.operationWaitMsMax
    : Math.min(Number(match[1]) * 1000, LIMITS.operationWaitMsMax);
}

const SENTENCES: { readonly [step in Step]: string } = {
  network: 'The keystore cannot be reached.',
  auth: 'The keystore did not accept our credentials.',
  not_found: 'The keystore does not know this key.',
  policy: 'The keystore does not let us use this key.',
  algorithm: 'This key cannot wrap and unwrap.',
  state: 'The key is not in a state in which it can be used.',
};

/** Where the code says more than the step. */
const BY_CODE: { readonly [code in Code]?: string } = {
  root_key_in_use: 'This root key is connected by another tenant.',
  keystore_address_refused: 'The address of the keystore is not one that we may call.',
  tenant_killed: 'The tenant is killed.',
  tenant_suspended: 'The tenant or the service is suspended.',
  tenant_blocked: 'The tenant is blocked.',
  key_not_active: 'The tenant key protects nothing new at present.',
  key_compromised: 'The tenant key is compromised: rotate it first.',
  key_archived: 'The tenant key is archived.',
};

function failureOf(operation: OperationDoc): KcmError {
  const step = operation.step ?? null;
  const code = operation.code ?? 'internal';
  if (code === 'key_in_use') return stillInUse(operation);
  const fallback = step === null ? 'The operation was refused.' : SENTENCES[step];
  const detail = BY_CODE[code] ?? fallback;
  return new KcmError(code, detail, step === null ? {} : { step });
}

function stillInUse({ inUse = 0, unreported = 0 }: OperationDoc): KcmError {
  const edges =
    unreported === 0
      ? ''
      : ` ${unreported} boots of Edges may have protected more with it and have not told.`;
  const errors = [{ path: 'version', code: 'in_use', detail: `${inUse}` }];
  if (unreported > 0) errors.push({ path: 'version', code: 'unreported', detail: `${unreported}` });
  return new KcmError('key_in_use', `${inUse} things still hang from this version.${edges}`, {
    errors,
  });
}
