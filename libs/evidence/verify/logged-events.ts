import { verifyEd25519 } from '@kcm/crypto';
import { canonicalJson, type Json, KcmError } from '@kcm/kernel';
import {
  type Checkpoint,
  leafOf,
  type LoggedEvent,
  openNote,
  originOf,
  parseCheckpoint,
  verifyInclusion,
} from '@kcm/transparency';
import { z } from 'zod';
import type { ProvenEvent, ReceiptProving } from './receipt.js';

/** Each check that a proof can fail, by its name in the verifier's answer. */
type Failure =
  'checkpoint_signature' | 'checkpoint_format' | 'not_included' | 'events' | 'said_otherwise';

function refuse(code: Failure, path: string, detail: string): never {
  throw new KcmError('integrity', detail, { errors: [{ path, code, detail }] });
}

/**
 * Each event is a leaf of the region's log, under the checkpoint that the pinned key signed.
 * @throws KcmError integrity checkpoint_signature · checkpoint_format · not_included
 */
export function assertInLog(receipt: ReceiptProving, publicKey: Uint8Array): void {
  const { size, root } = checkpointOf(receipt, publicKey);
  receipt.events.forEach((event, at) => {
    const path = event.path.map((hash) => Buffer.from(hash, 'base64'));
    const leaf = leafOf(event as unknown as LoggedEvent);
    if (verifyInclusion({ index: event.index, size, leaf, path, root })) return;
    refuse('not_included', `events.${at}`, `The ${event.type} is not in the transparency log.`);
  });
}

function checkpointOf({ region, ledger, checkpoint }: ReceiptProving, publicKey: Uint8Array) {
  const name = originOf(region, ledger);
  const text = openNote(checkpoint, { name, publicKey }, verifyEd25519);
  if (text === null)
    refuse('checkpoint_signature', 'checkpoint', `The region did not sign it for ${name}.`);
  const parsed: Checkpoint | null = parseCheckpoint(text);
  if (parsed?.origin === name) return parsed;
  return refuse('checkpoint_format', 'checkpoint', `It is not a checkpoint of ${name}.`);
}

/** What a proof of this kind rests on, in this order; any other kind on the lock alone. */
const OF_A_SHRED = [
  'RevocationLocked',
  'RevocationShredRequested',
  'MaterialShredded',
  'RevocationShredded',
];
const lockedData = z.object({
  kind: z.string(),
  scope: z.union([
    z.strictObject({ all: z.literal(true) }),
    z.strictObject({ service: z.string() }),
  ]),
  cause: z.string(),
  lockedBy: z.string(),
  startedAt: z.string(),
  hardBound: z.string(),
  epoch: z.number(),
  holders: z.array(z.object({ id: z.string(), lastGrantEnds: z.string() })),
  probe: z
    .object({
      rootKeyId: z.string(),
      callId: z.string(),
      providerRequestId: z.string().nullable(),
    })
    .nullable(),
});
const requestedData = z.object({ requestedBy: z.string() });
const materialData = z.object({
  confirmedAt: z.string(),
  erasureKeys: z.number(),
  blobs: z.number(),
  word: z.string(),
});

/**
 * The receipt says of the revocation what the events say, and rests on all that its kind needs.
 * @throws KcmError integrity events · said_otherwise
 */
export function assertSaidByEvents(receipt: ReceiptProving): void {
  const { kind, events, shred } = receipt;
  const types = events.map(({ type }) => type);
  const needed = kind === 'shredded' ? OF_A_SHRED : OF_A_SHRED.slice(0, 1);
  if (types.join() !== needed.join())
    refuse('events', 'events', `A receipt ${kind} does not rest on ${types.join(', ')}.`);
  const ascends = events.every(({ index, revision }, at) => {
    const before = events[at - 1];
    return before === undefined || (index > before.index && revision > before.revision);
  });
  if (!ascends) refuse('events', 'events', 'The events are not in the order of the log.');
  for (const event of events) assertOfRevocation(receipt, event);
  const [locked, requested, material] = events as [ProvenEvent, ...ProvenEvent[]];
  assertLocked(receipt, locked);
  if (kind !== 'shredded' || shred === null) return;
  const { requestedBy, ...gone } = shred;
  compare('shred', { requestedBy }, dataOf(requested!, requestedData));
  compare('shred', gone, dataOf(material!, materialData));
}

function assertOfRevocation({ tenant, region, revocation }: ReceiptProving, event: ProvenEvent) {
  const { stream, at, meta } = event;
  compare(
    `the place of ${event.type}`,
    { stream, at, tenant, region },
    {
      // The first dot ends the tenant, which is the pinned one.
      stream: `revocation-${tenant}.${revocation.id}`,
      at: meta['occurredAt'],
      tenant: meta['tenant'],
      region: meta['origin'],
    },
  );
}

function assertLocked({ revocation, probe, holders }: ReceiptProving, locked: ProvenEvent): void {
  const { id: _, ...told } = revocation;
  const { holders: held, probe: refused, scope, ...data } = dataOf(locked, lockedData);
  const scopeText = 'all' in scope ? 'all' : scope.service;
  compare('revocation', told, { ...data, scope: scopeText, term: locked.meta['term'] });
  if (probe !== null) {
    const { rootKeyId, callId, providerRequestId, code } = probe;
    const logged = refused && { ...refused, code: data.cause };
    compare('probe', { rootKeyId, callId, providerRequestId, code }, logged ?? {});
  }
  const ends = new Map(held.map((row) => [row.id, row.lastGrantEnds]));
  const grants = (rows: Iterable<readonly [string, string | null]>) => Object.fromEntries(rows);
  const named = holders.map(({ id, lastGrantEnds }) => [id, lastGrantEnds] as const);
  // Who spoke without having been a holder at the lock is named too, with no grant.
  const others = named.filter(([id]) => !ends.has(id)).map(([id]) => [id, null] as const);
  compare('holders', grants(named), grants([...ends, ...others]));
  for (const [id, end] of named)
    if (end !== (ends.get(id) ?? null)) compare('holders', { [id]: end }, {});
}

/** What the logged event says, as far as a receipt quotes it. */
function dataOf<T>({ type, data }: ProvenEvent, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
  return refuse('said_otherwise', 'events', `The ${type} says nothing that is known of: ${where}.`);
}

type Members = { readonly [member: string]: Json | undefined };

function compare(part: string, told: Members, logged: Members): void {
  const members = [...new Set([...Object.keys(told), ...Object.keys(logged)])];
  const wrong = members.filter((each) => textOf(told[each]) !== textOf(logged[each]));
  if (wrong.length === 0) return;
  const detail = `The log says otherwise of ${part}: ${wrong.join(', ')}.`;
  refuse('said_otherwise', part, detail);
}

const textOf = (value: Json | undefined): string | null =>
  value === undefined ? null : canonicalJson(value);
