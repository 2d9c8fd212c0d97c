/** One thing that is not as it should be. Anybody may read it: it names no tenant and no person. */
export interface Reason {
  /** The part that it is about: `ledger`, `read-model audit`, `keystores`. */
  readonly dependency: string;
  /** `unavailable`: cannot serve. `degraded`: serves, and somebody should look. */
  readonly level: 'unavailable' | 'degraded';
  /** Stable, for a program. */
  readonly code: string;
  readonly detail: string;
  /** What to do about it. */
  readonly next: string;
}

/** What `/readyz` of any part of the product says. */
export interface HealthReport {
  readonly status: 'ready' | 'degraded' | 'unavailable';
  /** Worst first. */
  readonly reasons: readonly Reason[];
}

/** As bad as the worst of them; nothing to say is ready. */
export function healthReport(reasons: readonly Reason[]): HealthReport {
  const down = reasons.filter(({ level }) => level === 'unavailable');
  const rest = reasons.filter(({ level }) => level !== 'unavailable');
  const status = down.length > 0 ? 'unavailable' : rest.length > 0 ? 'degraded' : 'ready';
  return { status, reasons: [...down, ...rest] };
}

/** The media type of `/metrics`: Prometheus text exposition format 0.0.4. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
