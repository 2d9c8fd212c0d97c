import type { L3Handle } from '../records/l3-handle.js';

/** A lease as its service's socket shows it. */
export interface LeaseShown {
  readonly tenant: string;
  readonly service: string;
  readonly key: string;
  readonly keyVersion: number;
  readonly endsInMs: number;
  readonly term: number;
  readonly epoch: number;
  readonly access: string;
  readonly mayEncrypt: boolean;
  readonly grantId: string;
}

export const leaseShown = (handle: L3Handle): LeaseShown => ({
  tenant: handle.tenant,
  service: handle.service,
  key: handle.key,
  keyVersion: handle.version,
  endsInMs: Math.floor(handle.deadline.remainingMs()),
  term: handle.term,
  epoch: handle.epoch,
  access: handle.access,
  mayEncrypt: handle.mayProtect,
  grantId: handle.grantId,
});
