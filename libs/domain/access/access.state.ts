import type { LockKind, LockOwner, Scope } from './access.events.js';

export interface Lock {
  readonly lock: string;
  readonly kind: LockKind;
  readonly scope: Scope;
  readonly owner: LockOwner;
  readonly cause: string;
  readonly lockedBy: string | null;
}
/** Access = no lock held. */
export type AccessState =
  | { readonly status: 'open'; readonly term: number; readonly epoch: number }
  | {
      readonly status: 'locked';
      readonly term: number;
      readonly epoch: number;
      readonly locks: readonly Lock[];
    }
  /** A kill is held; nothing but a quorum lifts it. */
  | {
      readonly status: 'killed';
      readonly term: number;
      readonly epoch: number;
      readonly locks: readonly Lock[];
    };
