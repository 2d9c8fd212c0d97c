import { Inject, Injectable } from '@nestjs/common';
import { Queries } from '@kcm/application';
import { KcmError, LIMITS, type Step } from '@kcm/kernel';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OperationDoc } from '@projections/operations';

const POLL_MS_MIN = 10;
const POLL_MS_MAX = 200;

/** `Prefer: wait=N` (RFC 7240 §4.3), seconds; at most 10. */
export function preferredWaitMs(prefer: string | string[] | undefined): number {
  const match = /(?:^|[,;\s])wait=(\d{1,4})/.exec([prefer ?? ''].flat().join(','));
  return match === null
    ? LIMITS.operationWaitMsMax
    : Math.min(Number(match[1]) * 1000, LIMITS.operationWaitMsMax);
}

/** Waits for what a command set going; the outcome is an event, read from the read models. */
@Injectable()
export class Waiting {
  constructor(@Inject(Queries) private readonly queries: Queries) {}

  /** The first answer that is not null within the time, else null. */
  async until<T>(waitMs: number, look: () => Promise<T | null>): Promise<T | null> {
    const end = performance.now() + waitMs;
    for (let pause = POLL_MS_MIN; ; pause = Math.min(pause * 1.5, POLL_MS_MAX)) {
      const found = await look();
      if (found !== null) return found;
      if (performance.now() + pause >= end) return null;
      await sleep(pause);
    }
  }

  /**
   * The finished operation, or null when it is still at work.
   * @throws KcmError with the code and step of an operation that failed
   */
  async operation(id: string, waitMs: number): Promise<OperationDoc | null> {
    const done = await this.until(waitMs, async () => {
      const found = await this.queries.get<OperationDoc>('operations', id);
      return found === null || found.state === 'pending' ? null : found;
    });
    if (done?.state === 'failed') throw failureOf(done);
    return done;
  }
}

const SENTENCES: { readonly [step in Step]: string } = {
  network: 'The keystore cannot be reached.',
  auth: 'The keystore did not accept our credentials.',
  not_found: 'The keystore does not know this key.',
  policy: 'The keystore does not let us use this key.',
  algorithm: 'This key cannot wrap and unwrap.',
  state: 'The key is not in a state in which it can be used.',
};

export function failureOf(operation: OperationDoc): KcmError {
  const step = operation.step ?? null;
  const code = operation.code ?? 'internal';
  const detail = step === null ? 'The operation was refused.' : SENTENCES[step];
  return new KcmError(code, detail, step === null ? {} : { step });
}
