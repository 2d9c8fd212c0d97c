import { setTimeout as sleep } from 'node:timers/promises';
import type { StubbornClient } from './stubborn-client.js';
import type { TenantLife } from './tenant-life.js';

const SETTLE_MS_MAX = 45_000;
interface TenantView {
  readonly state: string;
  readonly policy: { readonly leaseSeconds: number };
  readonly services: readonly string[];
  readonly access: { readonly locks: readonly { readonly lock: string }[] };
}
interface KeyView {
  readonly service: string | null;
  readonly state: string;
  readonly versions: readonly unknown[];
}
interface RevocationView {
  readonly id: string;
  readonly kind: string;
  readonly stage: string;
  readonly receipt: string | null;
}
type List<T> = { readonly items: readonly T[] };

/** Waits until each tenant is as its commands left it; what is still wrong then, in words. */
export async function tenantFaults(
  client: StubbornClient,
  lives: readonly TenantLife[],
): Promise<readonly string[]> {
  const end = performance.now() + SETTLE_MS_MAX;
  const found: string[] = [];
  for (const life of lives) {
    let faults = await faultsOf(client, life);
    while (faults.length > 0 && performance.now() < end) {
      await sleep(100);
      faults = await faultsOf(client, life);
    }
    found.push(...faults.map((fault) => `${life.id}: ${fault}`));
  }
  return found;
}

async function faultsOf(client: StubbornClient, life: TenantLife): Promise<readonly string[]> {
  const { expected, people, path } = life;
  const tenant = await client.get<TenantView>(people.operator, path);
  const faults: string[] = [];
  const same = (what: string, is: unknown, should: unknown): void => {
    const [a, b] = [JSON.stringify(is), JSON.stringify(should)];
    if (a !== b) faults.push(`${what} is ${a}, not ${b}`);
  };
  same('state', tenant.state, expected.state);
  same('lease', tenant.policy.leaseSeconds, expected.leaseSeconds);
  // After a shred those that never got a key are gone: whoever waited for one was told.
  const services = [...expected.services].filter(
    (id) => !expected.dead || tenant.services.includes(id),
  );
  same('services', tenant.services.toSorted(), services.toSorted());
  const locks = tenant.access.locks.map(({ lock }) => lock);
  same('locks', locks.toSorted(), [...expected.locks].toSorted());
  const list = `${path}/revocations?limit=200`;
  const revocations = await client.get<List<RevocationView>>(people.operator, list);
  same(
    'revocations',
    inOrder(revocations.items.map(({ id, kind, stage }) => [id, kind, stage])),
    inOrder([...expected.revocations].map(([id, { kind, stage }]) => [id, kind, stage])),
  );
  for (const { id, receipt } of revocations.items)
    if (receipt === null) faults.push(`revocation ${id} has no receipt`);
  if (people.anna === null) return faults;
  const keys = await client.get<List<KeyView>>(people.anna, `${path}/keys?limit=200`);
  same('keys', keysOf(keys.items), expectedKeys(life, keys.items));
  return faults;
}

const text = (row: readonly unknown[]): string => JSON.stringify(row);
const inOrder = (rows: readonly (readonly unknown[])[]): string[] => rows.map(text).sort();

const keysOf = (keys: readonly KeyView[]): string[] =>
  inOrder(keys.map(({ service, state, versions }) => [service ?? '', state, versions.length]));

/** The keys that there must be; those of a service that was unmapped again there may be. */
function expectedKeys({ expected }: TenantLife, keys: readonly KeyView[]) {
  if (expected.rootKey === null) return [];
  const dead = expected.dead;
  // Nothing is made for a tenant that is locked, and what was made before stays.
  const locked = expected.locks.size > 0;
  const must = new Set(locked ? [] : expected.services);
  const may = keys.map(({ service }) => service).filter((service) => service !== null);
  const state = dead ? 'revoked' : 'active';
  const l2 = keys.some(({ service }) => service === null) || !locked;
  return inOrder([
    ...(l2 ? [['', state, 1]] : []),
    ...[...new Set([...must, ...may])].map((service) => [
      service,
      state,
      1 + (expected.rotations.get(service) ?? 0),
    ]),
  ]);
}
