export type { Access, CachePolicy, CorePort, Lease, Notice, Proof, Refusal } from './core-port.js';
export { DataPlane, type Done, type Outcome, type Work } from './data-plane.js';
export { GcWitness } from './gc-witness.js';
export { LeaseClock } from './lease-clock.js';
export { LeaseKeeper } from './lease-keeper.js';
export { UsageLedger } from './usage.js';
