import type { Tenant } from './tenant.js';

/** What hangs from each version of a key, as `GET …/keys/{id}/usage` tells. */
interface KeyUsage {
  readonly versions: readonly { readonly version: number; readonly inUse: number }[];
}

/** Where the tenant's key of this level is; of several, the first. */
export async function keyPath({ anna, path }: Tenant, level: 'L2' | 'L3'): Promise<string> {
  const keys = await anna.list<{ readonly id: string; readonly level: string }>(`${path}/keys`);
  return `${path}/keys/${keys.find((key) => key.level === level)!.id}`;
}

export async function inUse({ anna }: Tenant, key: string, version: number): Promise<number> {
  const { versions } = await anna.read<KeyUsage>(`${key}/usage`);
  return versions.find((each) => each.version === version)!.inUse;
}
