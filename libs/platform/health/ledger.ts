import type { Reason } from '@kcm/kernel';
import type { WatchedLedger } from '@kcm/ledger';

const LEDGER_SAYS = {
  full: [
    'the disk has no room left: nothing is granted, changed or recorded',
    'make room on the disk of the data folder; it goes on by itself',
  ],
  moved: [
    'ledger.db or its -wal was moved or deleted: nothing is granted, changed or recorded',
    'put the same files back: it goes on by itself. If they were deleted do not stop this process: it holds the only copy (docs/running.md)',
  ],
  stalled: [
    'the disk does not answer: what is asked for waits, and nothing is granted or recorded',
    'look at the disk of the data folder (the mount, the network to it); it goes on by itself',
  ],
  broken: [
    'the ledger takes no event: nothing is granted, changed or recorded',
    'look at the disk of the data folder and at what the server logs',
  ],
} as const;

/** What it means that the ledger takes no event. */
export function ledgerReasons(ledger: WatchedLedger): Reason[] {
  const trouble = ledger.trouble();
  if (trouble === null) return [];
  const says = trouble === 'unknown' || trouble === 'unavailable' ? 'broken' : trouble;
  const [detail, next] = LEDGER_SAYS[says];
  return [{ dependency: 'ledger', level: 'unavailable', code: `ledger_${trouble}`, detail, next }];
}
