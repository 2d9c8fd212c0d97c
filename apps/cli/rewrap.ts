import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.js';
import type { Tell } from './progress.js';
import { tenantPath } from './tenant-words.js';

export interface Key {
  readonly id: string;
  readonly level: 'L2' | 'L3';
  readonly versions: readonly {
    readonly version: number;
    readonly wrappedBy: { readonly id: string; readonly version: string };
  }[];
}
const LOOK_MS = 250;
/** A key that cannot be wrapped anew (its service is locked) opens under the earlier version. */
const STILL_MS_MAX = 10_000;

/** How many versions of keys this key wraps, and how many of them its newest version does. */
export function rewrapped(keys: readonly Key[], parent: Key): { done: number; all: number } {
  const newest = String(Math.max(...parent.versions.map(({ version }) => version)));
  const below = keys
    .flatMap(({ versions }) => versions)
    .filter(({ wrappedBy }) => wrappedBy.id === parent.id);
  return {
    done: below.filter(({ wrappedBy }) => wrappedBy.version === newest).length,
    all: below.length,
  };
}

/** Until all are wrapped anew, or nothing has moved for a while. */
export async function untilRewrapped(
  client: Client,
  tenant: string,
  parent: Key,
  tell: Tell,
): Promise<void> {
  let most = -1;
  for (let movedAt = performance.now(); ; await sleep(LOOK_MS)) {
    const keys = await client.list<Key>(tenantPath(tenant, 'keys'), {}, Infinity);
    const { done, all } = rewrapped(keys, parent);
    tell(`${done} of ${all}`);
    if (done === all) return;
    if (done > most) movedAt = performance.now();
    most = Math.max(most, done);
    if (performance.now() - movedAt > STILL_MS_MAX) return;
  }
}
