import type { Recorded, Scope } from '@kcm/domain';

/** The locks that stand on a tenant, as a list that is stored with a process's state. */
export type Locks = readonly { readonly lock: string; readonly scope: Scope }[];

/** The locks after an event; any other event leaves them as they are. */
export function locksAfter(locks: Locks, event: Recorded): Locks {
  switch (event.type) {
    case 'LockTaken': {
      const { lock, scope } = event.data;
      return [...locks, { lock, scope }];
    }
    case 'LockReleased':
      return locks.filter(({ lock }) => lock !== event.data.lock);
    default:
      return locks;
  }
}

/** Whether keys may be made: a lock of the whole tenant, or of this service, says no. */
export const isOpen = (locks: Locks, service?: string): boolean =>
  !locks.some(({ scope }) => 'all' in scope || scope.service === service);
