import { type HealthReport, healthReport, type Reason } from '@kcm/kernel';

export interface EdgeStanding {
  readonly connected: boolean;
  readonly leases: number;
  readonly confirmsErasure: boolean;
  /** Tenants of whom Core's last answer was refused: older than one that was taken before. */
  readonly staleTenants: number;
  /** A clock jumped, or the process stood still, not long ago. */
  readonly disturbed: boolean;
  /** Of the process and its machine, and of other ways to hear of revocations. */
  readonly others: readonly Reason[];
}

/** Whether this Edge serves: with leases it does, until they end, whatever Core does. */
export function healthOf(standing: EdgeStanding): HealthReport {
  const { connected, leases, confirmsErasure, staleTenants, disturbed, others } = standing;
  const reasons: Reason[] = [...others];
  if (!connected)
    reasons.push({
      dependency: 'core',
      level: leases === 0 ? 'unavailable' : 'degraded',
      code: 'core_unreachable',
      detail:
        leases === 0
          ? 'Core cannot be reached and no lease is held: nothing is answered'
          : `Core cannot be reached: ${leases} leases end by themselves`,
      next: 'see that Core runs, is unsealed, and answers on the address that this Edge was given',
    });
  if (staleTenants > 0)
    reasons.push({
      dependency: 'core',
      level: 'degraded',
      code: 'stale_answers',
      detail: `Core’s last answers for ${staleTenants} tenants are older than ones before: they get no lease`,
      next: 'see that Core was not put back to an older ledger; the log names the tenants (“stale-answer”)',
    });
  if (!confirmsErasure)
    reasons.push({
      dependency: 'memory',
      level: 'degraded',
      code: 'no_expose_gc',
      detail: 'started without --expose-gc: after a revocation erasure is never confirmed',
      next: 'start it by `npm start`, or as node --expose-gc dist/apps/edge/main.js',
    });
  if (disturbed)
    reasons.push({
      dependency: 'clock',
      level: 'degraded',
      code: 'clock_disturbed',
      detail: 'the wall clock jumped, or this process stood still: leases were ended early',
      next: 'they are asked for anew; if it comes again look at time synchronisation and load',
    });
  return healthReport(reasons);
}
