import { z } from 'zod';
import type { Receipt, Trust } from './receipt.js';

const time = z.iso.datetime();
const text = z.string().max(4_096);
const holder = z.strictObject({
  id: text,
  boot: text,
  lastGrantEnds: time.nullable(),
  refusedAt: time.nullable(),
  erasedAt: time.nullable(),
  statement: z.string().max(16_384).nullable(),
  certificate: z.string().max(16_384).nullable(),
});

const namedEvent = z.strictObject({
  type: text,
  id: text,
  stream: text,
  revision: z.number().int().min(0),
  at: time,
});
const json = z.record(z.string(), z.json());
const provenEvent = namedEvent.extend({
  schemaVersion: z.number().int().min(1),
  data: json,
  // No leaf is made from it, so that nothing would vouch for it.
  meta: json.refine((meta) => !('traceparent' in meta), 'has a traceparent'),
  index: z.number().int().min(0),
  path: z.array(z.string().regex(/^[A-Za-z0-9+/]{43}=$/)).max(64),
});

const body = z.strictObject({
  kind: z.enum(['provider-denied', 'locked', 'shredded', 'l1-destroyed']),
  issuedAt: time,
  region: text,
  tenant: text,
  ledger: text,
  revocation: z.strictObject({
    id: text,
    kind: z.enum(['suspend', 'kill', 'provider-denied', 'l1-destroyed']),
    scope: text,
    cause: text,
    lockedBy: text,
    startedAt: time,
    hardBound: time,
    epoch: z.number().int(),
    term: z.number().int().optional(),
  }),
  holders: z.array(holder),
  probe: z
    .strictObject({
      rootKeyId: text,
      keystore: text,
      code: text,
      callId: text,
      providerRequestId: text.nullable(),
      logField: text,
    })
    .nullable(),
  shred: z
    .strictObject({
      requestedBy: text,
      confirmedAt: time,
      erasureKeys: z.number().int().min(0),
      blobs: z.number().int().min(0),
      word: text,
    })
    .nullable(),
  exported: z.strictObject({ keys: z.number().int().min(0) }),
  fourEyes: text.nullable(),
  trialGrade: z.array(text),
  doesNotClaim: z.array(text).min(1),
});

export const receiptSchema: z.ZodType<Receipt> = z.discriminatedUnion('format', [
  body.extend({ format: z.literal(1), events: z.array(namedEvent).min(1) }),
  body.extend({
    format: z.literal(2),
    events: z.array(provenEvent).min(1),
    checkpoint: z.string().max(4_096),
  }),
]);

/** Members that a later release adds to trust.json do not stop an older verifier. */
export const trustSchema: z.ZodType<Trust> = z.object({
  format: z.literal(1),
  region: text,
  tenant: text,
  signing: z.object({
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  }),
  ca: z.string().min(1).max(16_384),
});
