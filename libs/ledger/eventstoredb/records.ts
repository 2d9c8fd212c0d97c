import type { StreamingRead } from '@eventstore/db-client';
import type { Scheduler } from '@kcm/kernel';
import { Silence } from './failures.js';

export interface Patience {
  readonly scheduler: Scheduler;
  /** Between two records. */
  readonly silenceMsMax: number;
  readonly signal: AbortSignal;
}

/**
 * The records of one read. The client gives it no deadline, and keeps one that its reader left for
 * ever, so both are done here. @throws Silence, also on the abort · what the client throws
 */
export async function* records<E>(
  read: StreamingRead<E>,
  { scheduler, silenceMsMax, signal }: Patience,
): AsyncGenerator<E, void, undefined> {
  // An error that comes when nobody reads any more would end the process.
  read.on('error', () => undefined);
  let heard = (): void => undefined;
  let leave = (): void => undefined;
  const left = new Promise<never>((_resolve, reject) => {
    leave = () => reject(new Silence());
  });
  left.catch(() => undefined);
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  const found = (read.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<E>)[
    Symbol.asyncIterator
  ]();
  try {
    for (;;) {
      heard = scheduler.after(silenceMsMax, leave);
      const next = found.next();
      next.catch(() => undefined);
      const record = await Promise.race([next, left]);
      heard();
      if (record.done === true) return;
      yield record.value;
    }
  } finally {
    heard();
    signal.removeEventListener('abort', leave);
    letGo(read);
  }
}

/** Cancelled, a call ends once what it had brought is taken. */
function letGo(read: StreamingRead<unknown>): void {
  read.removeAllListeners('readable');
  read.cancel().catch(() => undefined);
  setImmediate(() => read.resume());
}
