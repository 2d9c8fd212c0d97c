import { LIMITS } from '@kcm/kernel';
import { z } from 'zod';

export const OPERATOR = ['platform-operator'] as const;

const shareCount = z.number().int().min(2, 'two people or more').max(LIMITS.sharesMax);
export const newShares = {
  shares: shareCount,
  threshold: shareCount,
  /** One a share, in their order; null: that share is shown plain. Which they are is looked at later. */
  recipients: z.array(z.string().min(1).nullable()).max(LIMITS.sharesMax).optional(),
};

/** With the one rule that concerns two fields. */
export const threshold = <S extends z.ZodType<{ shares: number; threshold: number }>>(schema: S) =>
  schema.refine((body) => body.threshold <= body.shares, {
    path: ['threshold'],
    message: 'must not be over shares',
  });

export const ceremonyView = z.object({
  id: z.string(),
  kind: z.enum(['rekey', 'rotate']),
  stage: z.enum(['authorize', 'verify']),
  setId: z.string(),
  provided: z.number().int(),
  threshold: z.number().int(),
});

export const statusView = z.object({
  region: z.string(),
  version: z.string(),
  initialized: z.boolean(),
  sealed: z.boolean(),
  seal: z.enum(['shamir', 'auto', 'keystore']).nullable(),
  trialGrade: z.array(z.string()),
  provided: z.number().int(),
  threshold: z.number().int(),
  shares: z.number().int(),
  /** A change of the seal that waits for shares. */
  ceremony: ceremonyView.nullable(),
  /** Null while sealed. `resealing`: how far what older entries sealed has got; null: all is new. */
  keyring: z
    .object({
      entry: z.number().int(),
      resealing: z
        .object({
          state: z.enum(['running', 'waiting', 'done']),
          seen: z.number().int(),
          total: z.number().int(),
          blobs: z.array(z.object({ entry: z.number().int(), count: z.number().int() })),
          damaged: z.number().int(),
        })
        .nullable(),
    })
    .nullable(),
});
