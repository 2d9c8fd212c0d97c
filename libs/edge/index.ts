export { EdgeApi, type ApiParts } from './server/api.js';
export type {
  Access,
  CachePolicy,
  CorePort,
  Delivery,
  Lease,
  LeasedState,
  Notice,
  Proof,
  Refusal,
} from './core/core-port.js';
export { DataPlane, type DataPlaneParts } from './data-plane.js';
export type { DataKey, Done, Outcome, Work } from './work.js';
export { startEdge } from './edge.js';
export { edgeSockets } from './sockets.js';
export type {
  EdgeCertificate,
  EdgeLogEntry,
  EdgeOptions,
  EdgeStatus,
  Heard,
  Hearing,
  RunningEdge,
} from './running-edge.js';
export { EdgeServer, SERVER_LIMITS, type ServerLimits } from './server/edge-server.js';
export { GcWitness } from './leases/gc-witness.js';
export { LeaseKeeper } from './leases/lease-keeper.js';
export { PooledRandom } from './records/pooled-random.js';
export { UsageLedger } from './usage.js';
