import { type Clock, LIMITS, type Reason } from '@kcm/kernel';
import type { Health } from '@kcm/platform';
import type { CoreParts } from '../composition.js';
import type { AutoUnseal } from '../sys/auto-unseal.js';
import { keystoreReasons } from './keystores.js';

/** A step that is done this often, and stands, does not bring about what takes it off. */
const RUNS_MAX = 2;

type Parts = Pick<
  CoreParts,
  'seals' | 'states' | 'host' | 'core' | 'recording' | 'erasureKeeper' | 'resealing'
> & {
  readonly autoUnseal: Pick<AutoUnseal, 'refusal'>;
};
const degraded = (dependency: string, code: string, detail: string, next: string): Reason => ({
  dependency,
  level: 'degraded',
  code,
  detail,
  next,
});

/** What can be wrong with Core, each part asked when somebody looks. */
export function watchCore(health: Health, parts: Parts, clock: Clock): void {
  const unsealed = (name: string, check: () => Reason[]): void =>
    health.add(name, () => (parts.seals.sealed ? [] : check()));
  health.add('seal', () => sealReasons(parts));
  health.add('acts', () => unrecordedReasons(parts));
  unsealed('processes', () => stuckReasons(parts));
  unsealed('vault', () => damagedReasons(parts));
  unsealed('keystores', () => keystoreReasons(parts.core.keys.authority.standing()));
  unsealed('clock', () => clockReasons(parts));
  unsealed('edges', () => edgeReasons(parts, clock));
  health.add('erasure-store', () => parts.erasureKeeper.reasons());
}

/** They act, and a restart would lift them in silence. */
function unrecordedReasons({ recording: { pending } }: Parts): Reason[] {
  if (pending === 0) return [];
  return [
    degraded(
      'ledger',
      'acts_unrecorded',
      `${pending} locks, seals or words of keystores act and are not recorded`,
      'do not restart before they are: they end with this process; the log names who took each',
    ),
  ];
}

/** Found when all was sealed anew; what nobody sealed anew is found at its use. */
function damagedReasons({ resealing }: Parts): Reason[] {
  const damaged = resealing.view?.damaged ?? 0;
  if (damaged === 0) return [];
  return [
    degraded(
      'vault',
      'blobs_damaged',
      `${damaged} blobs behind the barrier do not open: whose they are does not either`,
      'the log names each path, at level error: put vault.db or erasure.db back from a backup',
    ),
  ];
}

function sealReasons({ seals, states, autoUnseal }: Parts): Reason[] {
  if (!seals.sealed) return [];
  const of = { dependency: 'seal', level: 'unavailable' } as const;
  const state = states.region();
  if (state.status === 'uninitialized')
    return [
      {
        ...of,
        code: 'uninitialized',
        detail: 'the region is not initialized',
        next: 'kcm init --shares 5 --threshold 3',
      },
    ];
  if (state.config.seal !== 'keystore')
    return [
      { ...of, code: 'sealed', detail: 'the region is sealed', next: 'kcm unseal --share -' },
    ];
  if (autoUnseal.refusal === null)
    return [
      { ...of, code: 'sealed', detail: 'the region is sealed', next: 'kcm unseal --keystore' },
    ];
  const { code, message: detail } = autoUnseal.refusal;
  const next = 'it is asked again by itself; look at that keystore and at KCM_SEAL_REFERENCE';
  return [{ ...of, code, detail, next }];
}

/** Items that were begun and stand all the same. Those that wait for their time are none. */
function stuckReasons({ host }: Parts): Reason[] {
  const stuck = host
    .standing()
    .filter(
      ({ attempts, running, runs, dueMs }) =>
        dueMs > LIMITS.processItemMsMax && (attempts > 0 || running || runs > RUNS_MAX),
    );
  if (stuck.length === 0) return [];
  const names = [...new Set(stuck.map(({ process }) => process))].sort().join(', ');
  const oldest = Math.floor(Math.max(...stuck.map(({ dueMs }) => dueMs)) / 1000);
  return [
    degraded(
      'processes',
      'steps_stand',
      `${stuck.length} steps of ${names} do not get done, the oldest for ${oldest} s`,
      'the log says why each fails, at level warn: "a step of a process is tried again"; one that is not named there hangs',
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
export function enrolledEdges(states: CoreParts['states'], clock: Clock): number {
  let enrolled = 0;
  for (const state of states.edges().values())
    if (state.status === 'enrolled' && Date.parse(state.notAfter) > clock.wallMs()) enrolled += 1;
  return enrolled;
}
