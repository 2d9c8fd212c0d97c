import type { ExposedVersion } from '@kcm/domain';
import { type Clock, KcmError, rfc3339 } from '@kcm/kernel';
import { z } from 'zod';

const UTC = z.iso.datetime({ offset: true, message: 'must be an RFC 3339 time' });

/** What is said of whatever is compromised: a key, versions of it, an Edge. */
export const compromiseFields = {
  since: UTC.describe('from when on it was, or is feared to have been, known to others'),
  processing: z
    .enum(['refused', 'allowed'])
    .default('refused')
    .describe('whether what was protected may still be opened, and not only moved off it'),
};

/** In UTC. @throws KcmError invalid_request naming `since` for what is still to come */
export function pastSince(clock: Clock, since: string): string {
  const at = Date.parse(since);
  if (at <= clock.wallMs()) return rfc3339(at);
  const errors = [{ path: 'since', code: 'in_the_future', detail: 'must not lie in the future' }];
  throw new KcmError('invalid_request', 'These fields are wrong: since.', { errors });
}

const count = z.number().int();
export const exposureView = z.object({
  tenant: z.string(),
  key: z.string(),
  version: count,
  by: z
    .string()
    .describe('edge:{id} that was taken over, or key:{id} that was said to be compromised'),
  from: z.string(),
  to: z.string(),
  uses: z
    .object({
      protected: count.describe('in that time, by that Edge or (of a key) by every holder'),
      opened: count,
      exported: count.describe('data keys given out in the clear'),
      protectedInAll: count.describe('under the version, whoever made it and when: it opens them'),
    })
    .nullable()
    .describe('as far as holders had told when it was recorded; null of a tenant key (L2)'),
  recordedAt: z.string(),
});

export function exposureOf(
  doc: ExposedVersion & {
    readonly tenant: string;
    readonly key: string;
    readonly by: string;
    readonly recordedAt: string;
  },
) {
  const { tenant, key, version, by, from, to, uses, recordedAt } = doc;
  return { tenant, key, version, by, from, to, uses, recordedAt };
}
