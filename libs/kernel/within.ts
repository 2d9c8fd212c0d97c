import type { Scheduler } from './scheduler.js';

/**
 * What the work comes to, or `late` after so long; it goes on all the same, and what it throws then
 * is heard by nobody. @throws what the work throws in time
 */
export async function within<T>(
  scheduler: Scheduler,
  ms: number,
  work: Promise<T>,
): Promise<T | 'late'> {
  let cancel = (): void => undefined;
  const late = new Promise<'late'>((resolve) => {
    cancel = scheduler.after(ms, () => resolve('late'));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
