import { verifyJws } from '@kcm/crypto';
import { CODES, parseKeyVersionUid, TENANT_ID } from '@kcm/kernel';
import { type AckStatement, USAGE_OPERATIONS, type UsageStatement } from '@kcm/kmip';
import type { Peer } from '@kcm/kmip/server';
import { z } from 'zod';
import { invalid } from './refusals.js';

/** What an Edge signed, verified with its certificate's key. */
export interface Signed<T> {
  readonly edge: string;
  readonly boot: string;
  readonly statement: T;
  /** Compact JWS. */
  readonly jws: string;
  /** SHA-256 (hex) of the certificate whose key signed it. */
  readonly certificateSha256: string;
}

type Signer = Pick<Peer, 'publicKey' | 'certificateSha256'>;

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const time = z.iso.datetime();

const acknowledgement: z.ZodType<AckStatement> = z.strictObject({
  boot: z.string(),
  uid: z.string().refine((uid) => parseKeyVersionUid(uid) !== null),
  term: count,
  epoch: count,
  refusedAt: time,
  erasedAt: z.union([time, z.enum(['dropped-unconfirmed', 'kept'])]),
  handles: count,
});
const movedId = z.string().regex(/^[A-Za-z0-9_-]{11}$/);
const usageEntry = z
  .strictObject({
    tenant: z.string().regex(TENANT_ID),
    key: z.string().regex(/^(-|[a-z0-9][a-z0-9-]{0,79})$/),
    version: count,
    operation: z.enum(USAGE_OPERATIONS),
    ok: count,
    refused: z.record(z.enum(CODES), count.optional()).transform(withoutAbsent),
    bytes: count,
    moved: z.array(movedId).min(1).exactOptional(),
  })
  .refine(({ operation, ok, moved }) =>
    moved === undefined ? true : operation === 'rewrapFrom' && moved.length <= ok,
  );
const closedGrant = z.strictObject({
  uid: z.string().refine((uid) => parseKeyVersionUid(uid) !== null),
  grantId: z.uuid(),
});
const usage: z.ZodType<UsageStatement> = z
  .strictObject({
    boot: z.string(),
    seq: count.min(1),
    previous: z.nullable(z.string().regex(/^[0-9a-f]{64}$/)),
    from: time,
    to: time,
    entries: z.array(usageEntry),
    closed: z.array(closedGrant).min(1).exactOptional(),
    last: z.literal(true).exactOptional(),
  })
  .refine(({ entries, closed, last }) => entries.length > 0 || closed !== undefined || last);

/** @throws KmipFailure(InvalidField) unless it is one, signed by this peer, of this boot */
export const readAcknowledgement = (
  jws: string,
  signer: Signer,
  who: { readonly edge: string; readonly boot: string },
): Signed<AckStatement> => read(acknowledgement, jws, signer, who);

/** @throws KmipFailure(InvalidField) as above */
export const readUsage = (
  jws: string,
  signer: Signer,
  who: { readonly edge: string; readonly boot: string },
): Signed<UsageStatement> => read(usage, jws, signer, who);

function read<T extends { readonly boot: string }>(
  shape: z.ZodType<T>,
  jws: string,
  { publicKey, certificateSha256 }: Signer,
  { edge, boot }: { readonly edge: string; readonly boot: string },
): Signed<T> {
  let payload: unknown;
  try {
    payload = verifyJws(jws, publicKey).payload;
  } catch {
    throw invalid('the statement is not signed by this Edge');
  }
  const parsed = shape.safeParse(payload);
  if (!parsed.success) throw invalid('the statement has not the agreed form');
  if (parsed.data.boot !== boot) throw invalid('the statement is of another boot');
  return { edge, boot, statement: parsed.data, jws, certificateSha256 };
}

function withoutAbsent(refused: Partial<Record<string, number | undefined>>) {
  return Object.fromEntries(
    Object.entries(refused).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}
