import type { CoreView } from '@kcm/custody';
import { keyVersionUid, parseKeyVersionUid } from '@kcm/kernel';

/**
 * Whether the uid is a tenant key (L2) of a tenant that this Edge serves: it may know that it is.
 */
export function anchorVisible(
  view: Pick<CoreView, 'edge' | 'tenant' | 'keys'>,
  edge: string,
  uid: string,
): boolean {
  const named = parseKeyVersionUid(uid);
  if (named === null) return false;
  const state = view.edge(edge);
  const tenant = view.tenant(named.tenant);
  if (state.status !== 'enrolled' || tenant.status === 'absent') return false;
  if (!state.services.some((service) => tenant.services.has(service))) return false;
  const key = view.keys(named.tenant).get(named.key);
  return key !== undefined && key.status !== 'absent' && key.level === 'L2';
}

/**
 * The tenant's anchor (its L2), or the current version of one service's L3; null if there is none.
 */
export function notifiedUid(
  view: Pick<CoreView, 'keys'>,
  tenant: string,
  service: string | null,
): string | null {
  for (const [id, key] of view.keys(tenant)) {
    if (key.status === 'absent') continue;
    const meant = service === null ? key.level === 'L2' : key.service === service;
    if (meant) return keyVersionUid({ tenant, key: id, version: key.current });
  }
  return null;
}
