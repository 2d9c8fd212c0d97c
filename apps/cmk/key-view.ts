import {
  keyRefusal,
  rotationAgainAt,
  rotationByAgeAt,
  type TenantPolicy,
  VERSION_STATES,
} from '@kcm/domain';
import type { KeyDoc } from '@projections/tenant-keys';
import { z } from 'zod';

export const keyView = z.object({
  id: z.string(),
  level: z.enum(['L2', 'L3']),
  service: z.string().nullable(),
  state: z.string(),
  current: z.number().int().describe('the version that new use takes'),
  /** When the policy has the current version replaced, at the latest; null: not by age. */
  rotatesAt: z.string().nullable(),
  /** Why then: its age, or that a rotation was refused and is asked for again. */
  rotatesFor: z.enum(['age', 'refused']).nullable(),
  /** The last rotation of the current version, where it was refused. */
  rotationRefused: z.object({ code: z.string(), at: z.string() }).nullable(),
  versions: z.array(
    z.object({
      version: z.number().int(),
      state: z.enum(VERSION_STATES),
      createdAt: z.string(),
      wrappedBy: z.object({ id: z.string(), version: z.string() }),
      archived: z.boolean(),
      activatedAt: z.string().nullable(),
      deactivatedAt: z.string().nullable(),
      compromised: z
        .object({ since: z.string(), processing: z.enum(['allowed', 'refused']) })
        .nullable(),
      destruction: z.enum(['requested', 'refused']).nullable(),
      erasedAt: z.string().nullable(),
    }),
  ),
});

/** A key as the outside sees it; when it rotates follows from the policy that holds now. */
export function keyShown(doc: KeyDoc, policy: TenantPolicy) {
  const { id, level, service, state, current, versions, refused } = doc;
  const rotationRefused = refused === null ? null : { code: refused.code, at: refused.at };
  return {
    id,
    level,
    service,
    state,
    current,
    ...nextRotation(doc, policy),
    rotationRefused,
    versions,
  };
}

/** As process `rotation` plans it, uses left aside: nobody knows when they will be reached. */
function nextRotation(
  { tenant, id: key, level, state, current, versions, refused }: KeyDoc,
  { rotation }: TenantPolicy,
): { readonly rotatesAt: string | null; readonly rotatesFor: 'age' | 'refused' | null } {
  const version = versions.find((each) => each.version === current);
  const since = version?.activatedAt ?? null;
  const idle = state !== 'active' || version === undefined || since === null;
  if (idle || keyRefusal(version, 'protect') !== null) return NONE;
  const planned = { tenant, key, version: current };
  const byAge = rotationByAgeAt({ ...planned, since }, rotation[level]);
  if (byAge === null) return NONE;
  const again = refused === null ? null : rotationAgainAt(planned, refused.at, refused.failures);
  return again !== null && again > byAge
    ? { rotatesAt: again, rotatesFor: 'refused' }
    : { rotatesAt: byAge, rotatesFor: 'age' };
}
const NONE = { rotatesAt: null, rotatesFor: null } as const;
