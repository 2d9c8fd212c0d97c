import { TENANT_ID } from './ids.js';

/** One version of one key of a tenant. */
export interface KeyVersionId {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
}

/** Of an L2 or an L3. */
const KEY_ID = /^l[23]-[0-9a-f]{12}$/;
const VERSION = /^[1-9][0-9]{0,8}$/;

/** `{tenant}/{key id}/{version}`: the unique identifier in KMIP, in grants and in statements. */
export const keyVersionUid = ({ tenant, key, version }: KeyVersionId): string =>
  `${tenant}/${key}/${version}`;

/** The reverse of {@link keyVersionUid}; null for anything that it cannot have made. */
export function parseKeyVersionUid(uid: string): KeyVersionId | null {
  const [tenant, key, version, ...more] = uid.split('/');
  if (tenant === undefined || key === undefined || version === undefined || more.length > 0)
    return null;
  if (!TENANT_ID.test(tenant) || !KEY_ID.test(key) || !VERSION.test(version)) return null;
  return { tenant, key, version: Number(version) };
}
