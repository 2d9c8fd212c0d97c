import { type Clock, connectionBudget, memoryReasons, type Reason } from '@kcm/kernel';
import type { WatchedLedger } from '@kcm/ledger';
import { type Fold, foldReasons, lagReasons, type Lags } from './folds.js';
import type { Health, Silence } from './health.js';
import { ledgerReasons } from './ledger.js';

export interface WatchedDoor {
  readonly ledger: WatchedLedger;
  readonly clock: Clock;
  readonly lags: Lags;
  readonly folds: () => readonly Fold[];
  readonly oidc: { health(): readonly Reason[] } | null;
}

/** While it cannot be read nothing can be found out, and no command decided. */
const UNREADABLE: Silence = {
  level: 'unavailable',
  code: 'ledger_unreadable',
  detail: 'its events cannot be read; the log says why',
  next: 'look at the disk of the data folder, or at the server that holds it; a damaged file: docs/running.md',
};

/** What can be wrong with every process that answers over HTTP, each part asked when somebody looks. */
export function watchDoor(health: Health, { ledger, lags, folds, oidc }: WatchedDoor): void {
  health.add('ledger', () => ledgerReasons(ledger));
  health.add('open-files', () => connectionBudget().reasons());
  health.add('memory', memoryReasons);
  health.add('read-models', () => foldReasons(folds));
  health.add('ledger', () => lagReasons(folds, lags), UNREADABLE);
  health.add('oidc', () => oidc?.health() ?? []);
}
