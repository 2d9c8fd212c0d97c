import type { OnAppend } from '@kcm/ledger';
import type { Metrics } from './metrics.js';

/** How many appends one transaction may hold. */
const APPENDS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** What the ledger tells as it goes: each append from call to answer, each transaction alone. */
export function ledgerMetrics(metrics: Metrics): {
  readonly onAppend: OnAppend;
  readonly onCommit: (appends: number, ms: number) => void;
} {
  const append = metrics.histogram(
    'kcm_ledger_append_seconds',
    'From the call of an append to its answer: waiting for the transaction before, and its own.',
  );
  const commit = metrics.histogram(
    'kcm_ledger_commit_seconds',
    'One transaction of the ledger, its fsync included.',
  );
  const batch = metrics.histogram(
    'kcm_ledger_commit_appends',
    'How many appends one transaction held.',
    APPENDS,
  );
  return {
    onAppend: (outcome, seconds) => append.record(seconds, { outcome }),
    onCommit: (appends, ms) => {
      commit.record(ms / 1000);
      batch.record(appends);
    },
  };
}
