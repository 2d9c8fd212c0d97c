import type { Code } from '@kcm/kernel';
import type { Metrics } from './metrics.js';

/** A request that was answered. */
export interface Answered {
  /** As declared, `GET /v1/tenants/:tenant`; null: there is no such route. */
  readonly route: string | null;
  readonly status: number;
  /** Why it was refused; null: it was not. */
  readonly code: Code | null;
  readonly seconds: number;
  /** An answer without an end of its own: how long it took says nothing. */
  readonly endless: boolean;
}

/** Counts answers: labels are declared routes and codes of the one list, whatever was sent. */
export function httpMetrics(metrics: Metrics): (answered: Answered) => void {
  const took = metrics.histogram(
    'kcm_http_request_seconds',
    'From the first byte of a request to the last of its answer, by class of status.',
  );
  const refused = metrics.counter(
    'kcm_http_refusals_total',
    'Refused requests by declared route (none: no such route) and code.',
  );
  return ({ route, status, code, seconds, endless }) => {
    if (!endless) took.record(seconds, { status: `${Math.floor(status / 100)}xx` });
    if (code !== null) refused({ route: route ?? 'none', code });
  };
}
