import type { LockKind, Recorded, Scope } from '@kcm/domain';

interface HeldLock {
  readonly lock: string;
  readonly kind: LockKind;
  readonly scope: Scope;
}
/** The locks that stand on a tenant, as a list that is stored with a process's state. */
export type Locks = readonly HeldLock[];

/** The locks after an event; any other event leaves them as they are. */
export function locksAfter(locks: Locks, event: Recorded): Locks {
  switch (event.type) {
    case 'LockTaken': {
      const { lock, kind, scope } = event.data;
      return [...locks, { lock, kind, scope }];
    }
    case 'LockReleased':
      return locks.filter(({ lock }) => lock !== event.data.lock);
    default:
      return locks;
  }
}

const concerns = ({ scope }: HeldLock, service?: string): boolean =>
  'all' in scope || scope.service === service;

/** Whether keys may be made: any lock of the whole tenant, or of this service, says no. */
export const isOpen = (locks: Locks, service?: string): boolean =>
  !locks.some((lock) => concerns(lock, service));

/** Whether keys may be opened: as above, but a read-only leaves that. */
export const isReadable = (locks: Locks, service?: string): boolean =>
  !locks.some((lock) => lock.kind !== 'readOnly' && concerns(lock, service));
