import type { WatchedLedger } from '@kcm/ledger';
import type { WatchedDoor } from '../health/index.js';
import type { Figures, Metrics } from './metrics.js';

/** What is read of the ledger and of its folds when somebody asks. */
export function watchFolds(metrics: Metrics, { ledger, folds, lags }: WatchedDoor): void {
  watchLedger(metrics, ledger);
  const seconds = async (): Promise<Figures> =>
    Promise.all(folds().map(async (fold) => [await lags.of(fold), { fold: fold.name }] as const));
  metrics.gauge('kcm_fold_lag_seconds', 'Age of the first event that is not folded yet.', seconds);
  metrics.gauge('kcm_fold_up', '0: it stopped, or its store cannot be reached.', () =>
    folds().map(({ name, state }) => [
      Number(state !== 'failed' && state !== 'waiting'),
      { fold: name },
    ]),
  );
}

function watchLedger(metrics: Metrics, ledger: WatchedLedger): void {
  metrics.gauge('kcm_ledger_writable', '1 while the ledger takes events.', () =>
    Number(ledger.trouble() === null),
  );
  metrics.gauge(
    'kcm_ledger_append_oldest_seconds',
    'Age of the oldest write to the ledger that is under way; 0: none is.',
    () => ledger.oldestMs() / 1000,
  );
}
