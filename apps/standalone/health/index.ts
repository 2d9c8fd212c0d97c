import { type Clock, LIMITS } from '@kcm/kernel';
import type { WatchedLedger } from '@kcm/ledger';
import type { Health, Reason } from '@kcm/platform';
import type { Composition } from '../composition.js';
import { foldReasons } from './folds.js';
import { keystoreReasons } from './keystores.js';

export { allFolds, Lags } from './folds.js';

/** One copy of erasure.db on this machine. */
export const ERASURE_COPIES = 1;

type Parts = Pick<Composition, 'seals' | 'states' | 'runner' | 'host' | 'oidc' | 'core'>;
const degraded = (dependency: string, code: string, detail: string, next: string): Reason => ({
  dependency,
  level: 'degraded',
  code,
  detail,
  next,
});

/** What can be wrong with this set-up, each part asked when somebody looks. */
export function watchHealth(
  health: Health,
  parts: Parts,
  { ledger, clock }: { readonly ledger: WatchedLedger; readonly clock: Clock },
): void {
  health.add(() => sealReasons(parts));
  health.add(() => ledgerReasons(ledger));
  health.add(() => foldReasons(parts, ledger, clock));
  health.add(() => stuckReasons(parts));
  health.add(() =>
    parts.seals.sealed ? [] : keystoreReasons(parts.core.keys.authority.standing()),
  );
  health.add(() => (parts.seals.sealed ? [] : clockReasons(parts)));
  health.add(() => (parts.seals.sealed ? [] : edgeReasons(parts, clock)));
  health.add(() => parts.oidc?.health() ?? []);
  health.add(() => [
    degraded(
      'erasure-store',
      'one_copy',
      'one copy only: losing erasure.db loses every tenant',
      'keep a second copy of erasure.db for a few days only (docs/running.md)',
    ),
  ]);
}

function sealReasons({ seals, states }: Parts): Reason[] {
  if (!seals.sealed) return [];
  const of = { dependency: 'seal', level: 'unavailable' } as const;
  if (states.region().status === 'uninitialized')
    return [
      {
        ...of,
        code: 'uninitialized',
        detail: 'the region is not initialized',
        next: 'kcm init --shares 5 --threshold 3',
      },
    ];
  return [{ ...of, code: 'sealed', detail: 'the region is sealed', next: 'kcm unseal --share -' }];
}

async function ledgerReasons(ledger: WatchedLedger): Promise<Reason[]> {
  const trouble = await ledger.trouble();
  if (trouble === null) return [];
  const of = { dependency: 'ledger', level: 'unavailable', code: `ledger_${trouble}` } as const;
  return trouble === 'full'
    ? [
        {
          ...of,
          detail: 'the disk has no room left: nothing is granted, changed or recorded',
          next: 'make room on the disk of the data folder; it goes on by itself',
        },
      ]
    : [
        {
          ...of,
          detail: 'the ledger takes no event: nothing is granted, changed or recorded',
          next: 'look at the disk of the data folder and at what the server logs',
        },
      ];
}

/** Items that were tried and stand all the same. Those that wait for their time are none. */
function stuckReasons({ host, seals }: Parts): Reason[] {
  if (seals.sealed) return [];
  const stuck = host
    .standing()
    .filter(({ attempts, dueMs }) => attempts > 0 && dueMs > LIMITS.processItemMsMax);
  if (stuck.length === 0) return [];
  const names = [...new Set(stuck.map(({ process }) => process))].sort().join(', ');
  const oldest = Math.floor(Math.max(...stuck.map(({ dueMs }) => dueMs)) / 1000);
  return [
    degraded(
      'processes',
      'steps_stand',
      `${stuck.length} steps of ${names} are tried again and again, the oldest for ${oldest} s`,
      'the log says why each fails, at level warn: "a step of a process is tried again"',
    ),
  ];
}

function clockReasons({ core }: Parts): Reason[] {
  const ago = core.keys.clockDisturbedMsAgo;
  if (ago === null || ago > LIMITS.clockSuspicionMs) return [];
  return [
    degraded(
      'clock',
      'clock_disturbed',
      `${Math.floor(ago / 1000)} s ago the wall clock jumped, or this process stood still`,
      'leases are asked for anew by themselves; if it comes again look at time synchronisation and load',
    ),
  ];
}

function edgeReasons({ states, core }: Parts, clock: Clock): Reason[] {
  const enrolled = enrolledEdges(states, clock);
  const missing = enrolled - core.edgesConnected;
  if (missing <= 0) return [];
  return [
    degraded(
      'edges',
      'edge_not_connected',
      `${missing} of ${enrolled} enrolled Edges hold no connection: they end by their leases alone`,
      'look at those Edges (kcm edge list); revoke what is not used any more',
    ),
  ];
}

/** Those whose certificate has not run out. */
export function enrolledEdges(states: Composition['states'], clock: Clock): number {
  let enrolled = 0;
  for (const state of states.edges().values())
    if (state.status === 'enrolled' && Date.parse(state.notAfter) > clock.wallMs()) enrolled += 1;
  return enrolled;
}
