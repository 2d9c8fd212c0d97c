import { LIMITS, type Scheduler } from '@kcm/kernel';
import { passes } from './failures.js';

/**
 * Some tries: one call that fails closes the client's connection under all others.
 * @throws what the last of them threw, or what does not pass
 */
export async function persevere<T>(
  { scheduler, closed }: { readonly scheduler: Scheduler; readonly closed: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!passes(error) || tries >= LIMITS.ledgerTriesMax || closed.aborted) throw error;
      await new Promise<void>((resolve) => {
        scheduler.after(LIMITS.retryMsMin * tries, resolve);
      });
    }
  }
}
