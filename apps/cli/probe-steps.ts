import { Refused } from './failures.js';
import type { Progress } from './progress.js';

/** What a live wrap and unwrap at the customer's keystore goes through, in this order. */
const STEPS: readonly (readonly [step: string, title: string])[] = [
  ['network', 'The keystore is reached'],
  ['auth', 'It accepts our credentials'],
  ['not_found', 'It knows the key'],
  ['policy', 'It lets us use the key'],
  ['algorithm', 'The key wraps and unwraps'],
  ['state', 'The key can be used now'],
];

/**
 * Shows how far the proof of a root key came. @throws what the work throws; work that is not over
 * yet has been through no step
 */
export async function showingProbe<T>(
  progress: Progress,
  work: () => Promise<T>,
  isOver: () => boolean,
): Promise<T> {
  const outcome = progress.during('The keystore is asked to wrap and to unwrap', work);
  const failure = await outcome.then(
    () => null,
    (error: unknown) => error,
  );
  const failedAt = failure instanceof Refused ? failure.problem.step : undefined;
  const known = STEPS.some(([step]) => step === failedAt);
  if (failure === null ? !isOver() : !known) return outcome;
  await progress.steps(
    STEPS.map(([step, title]) => ({
      title,
      work: () => (step === failedAt ? outcome : Promise.resolve()),
    })),
  );
  return outcome;
}
