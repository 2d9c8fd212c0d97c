import { ed25519PublicFromRaw, kidOf, verifyIssuedBy, verifyJws } from '@kcm/crypto';
import { certificateUri, KcmError, type KeyVersionId, parseKeyVersionUid } from '@kcm/kernel';
import type { Receipt, ReceiptHolder, Trust } from './receipt.js';
import { receiptSchema, trustSchema } from './schema.js';
import { assertInLog, assertSaidByEvents } from './logged-events.js';

const TYPE = 'kcm-receipt+jws';
const refuse = (detail: string): never => {
  throw new KcmError('integrity', detail);
};

/** @throws KcmError invalid_request */
export function parseTrust(text: string): Trust {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KcmError('invalid_request', 'The trust file is not JSON.');
  }
  const parsed = trustSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((issue) => ({
    path: issue.path.join('.'),
    code: issue.code,
    detail: issue.message,
  }));
  throw new KcmError('invalid_request', 'The trust file is not one of ours.', { errors });
}

/**
 * Verifies a receipt with nothing but the pinned trust: no server, no database, no clock. Every
 * part of the JWS is re-encoded, so that any changed byte is refused (RFC 7515, RFC 8785). Of format
 * 2 the events are in the region's log, as its checkpoint says, and say what the receipt says.
 * @returns what it says · @throws KcmError integrity, saying which check failed
 */
export function verifyReceipt(compact: string, trust: Trust): Receipt {
  const raw = Buffer.from(trust.signing.x, 'base64url');
  const { header, payload } = verifyJws(compact, ed25519PublicFromRaw(raw));
  if (header['typ'] !== TYPE) refuse('This is signed by the region, but is not a receipt.');
  if (header['kid'] !== kidOf(raw)) refuse('The receipt names another signing key.');
  const parsed = receiptSchema.safeParse(payload);
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
    return refuse(`The receipt is not of format 1 or 2: ${where}.`);
  }
  const receipt = parsed.data;
  if (receipt.region !== trust.region) refuse(`It is of the region ${receipt.region}.`);
  if (receipt.tenant !== trust.tenant) refuse(`It is of the tenant ${receipt.tenant}.`);
  checkKind(receipt);
  for (const holder of receipt.holders) checkHolder(holder, receipt, trust);
  if (receipt.format === 2) {
    assertInLog(receipt, raw);
    assertSaidByEvents(receipt);
  }
  return receipt;
}

/** A receipt claims no more than its parts show. */
function checkKind({ kind, revocation, shred, probe }: Receipt): void {
  const fits = {
    'provider-denied': revocation.kind === 'provider-denied' && probe !== null,
    'l1-destroyed': revocation.kind === 'l1-destroyed' && probe !== null,
    locked: revocation.kind === 'suspend' || revocation.kind === 'kill',
    shredded: revocation.kind === 'kill' && shred !== null,
  }[kind];
  if (!fits) refuse(`The receipt says ${kind}, and its parts do not.`);
  if (kind !== 'shredded' && shred !== null) refuse('The receipt hides a shred.');
  if (Date.parse(revocation.hardBound) < Date.parse(revocation.startedAt))
    refuse('The bound lies before the start.');
}

function checkHolder(holder: ReceiptHolder, { revocation }: Receipt, trust: Trust): void {
  const { id, boot, statement, certificate, refusedAt, erasedAt, lastGrantEnds } = holder;
  if (statement === null || certificate === null) {
    if (refusedAt !== null || erasedAt !== null) refuse(`${id} is silent, yet it is quoted.`);
    const bound = Date.parse(revocation.hardBound);
    if (lastGrantEnds === null || Date.parse(lastGrantEnds) > bound)
      refuse(`${id} is silent, and its last grant does not end within the bound.`);
    return;
  }
  const edge = id.replace(/^edge:/, '');
  const uri = certificateUri({ kind: 'edge', region: trust.region, edge });
  const signer = verifyIssuedBy(certificate, trust.ca, uri);
  const said = verifyJws(statement, signer).payload as { readonly [name: string]: unknown };
  const quoted =
    said['boot'] === boot &&
    said['refusedAt'] === refusedAt &&
    said['erasedAt'] === (erasedAt ?? 'dropped-unconfirmed');
  if (!quoted) refuse(`${id} is quoted with what it did not say.`);
  const named = parseKeyVersionUid(String(said['uid']));
  if (named?.tenant !== trust.tenant) refuse(`${id} speaks of another tenant.`);
  if (!answersScope(revocation.scope, named)) refuse(`${id} speaks of one service's key alone.`);
  if (!answersEpoch(revocation, { term: said['term'], epoch: said['epoch'] }))
    refuse(`${id} speaks of an earlier state of access than this revocation's.`);
}

/** Of the whole tenant speaks only who answered for its anchor, the tenant key. */
const answersScope = (scope: string, named: KeyVersionId | null): boolean =>
  scope !== 'all' || named?.key.startsWith('l2-') === true;

/**
 * A holder may be told before the lock is recorded, with the pair that was the last one then. A lock
 * that was lifted before this one raised the epoch twice since its word: that word answers nothing.
 */
function answersEpoch(
  { term = 0, epoch }: Receipt['revocation'],
  said: { readonly term: unknown; readonly epoch: unknown },
): boolean {
  if (!Number.isSafeInteger(said.term) || !Number.isSafeInteger(said.epoch)) return false;
  const [saidTerm, saidEpoch] = [said.term as number, said.epoch as number];
  return saidTerm >= term && (saidTerm > term || saidEpoch >= epoch - 1);
}
