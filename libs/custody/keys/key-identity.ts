import { lp } from '@kcm/crypto';
import { type KeyVersionId, uuidv5 } from '@kcm/kernel';

export type KeyIdentity = KeyVersionId;
/** What a key version hangs from: a root key and its version, or an L2 and its version. */
export interface Parent {
  readonly id: string;
  readonly version: string;
}

/**
 * Deterministic, so that onboarding can be repeated: one L2 a tenant, one L3 a tenant × service.
 */
export const l2KeyId = (tenant: string): string => keyId('l2', tenant);
export const l3KeyId = (tenant: string, service: string): string =>
  keyId('l3', `${tenant}/${service}`);
const keyId = (level: 'l2' | 'l3', of: string): string =>
  `${level}-${uuidv5(`${level}/${of}`).replaceAll('-', '').slice(0, 12)}`;

/** What a commitment speaks of: identity without parents, so that it survives a re-wrap. */
export const committed = (level: 'L2' | 'L3', { tenant, key, version }: KeyIdentity): Buffer =>
  lp(level, tenant, key, String(version));

/** HKDF info of an L2 (architecture §1). */
export const l2Info = ({ tenant, key, version }: KeyIdentity): Buffer =>
  lp('kcm/l2/v1', tenant, key, String(version));

/** AAD of the tenant's erasure key over the bytes that L1 wrapped. */
export const l2Aad = ({ tenant, key, version }: KeyIdentity, parent: Parent): Buffer =>
  lp('kcm/l2-blob/v1', 'A256GCM', tenant, key, String(version), parent.id, parent.version);

/** AAD of an L2 over an L3. */
export const l3Aad = (
  { tenant, key, version }: KeyIdentity,
  service: string,
  parent: Parent,
): Buffer =>
  lp('kcm/l3/v1', 'A256GCM', tenant, key, String(version), service, parent.id, parent.version);

/** Where everything lies that ever wrapped this version. */
export const versionPath = (level: 'l2' | 'l3', { tenant, key, version }: KeyIdentity): string =>
  `${level}/${tenant}/${key}/${version}`;

/** Full digest in the path: a repeated creation never overwrites a recorded blob. */
export const blobPath = (level: 'l2' | 'l3', identity: KeyIdentity, digest: string): string =>
  `${versionPath(level, identity)}/${digest}`;

export const tekPath = (tenant: string): string => `tek/${tenant}`;
