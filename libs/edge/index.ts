export { EdgeApi, type ApiParts } from './api.js';
export type {
  Access,
  CachePolicy,
  CorePort,
  Delivery,
  Lease,
  Notice,
  Proof,
  Refusal,
} from './core-port.js';
export { DataPlane, type Done, type Outcome, type Work } from './data-plane.js';
export { edgeSockets, startEdge } from './edge.js';
export type {
  EdgeCertificate,
  EdgeLogEntry,
  EdgeOptions,
  EdgeStatus,
  RunningEdge,
} from './running-edge.js';
export { EdgeServer, SERVER_LIMITS, type ServerLimits } from './edge-server.js';
export { GcWitness } from './gc-witness.js';
export { LeaseKeeper } from './lease-keeper.js';
export { PooledRandom } from './pooled-random.js';
export { UsageLedger } from './usage.js';
