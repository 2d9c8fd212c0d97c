import type { EgressGuard } from './egress.js';

/** What a driver needs from its composition. */
export interface DriverDeps {
  readonly egress: EgressGuard;
}
