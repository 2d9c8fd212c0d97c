import { KcmError, LIMITS, uuidv4, type LedgerId, type Random } from '@kcm/kernel';
import { failureOf } from './failures.js';
import type { Server } from './server.js';
import type { Names } from './wire.js';

/**
 * The id of the ledger, made at its first start.
 * @throws KcmError integrity: there are events and no id, or a server that tells no positions
 */
export async function ledgerId(
  server: Server,
  names: Names,
  random: Random,
  streams: number,
): Promise<LedgerId> {
  const known = await readId(server, names);
  if (known !== null) return known;
  if (streams > 0) throw new KcmError('integrity', 'The ledger has events, and no id.');
  try {
    await writeLedgerId(server, names, uuidv4(random) as LedgerId, LIMITS.ledgerCallMsMax);
  } catch (error) {
    // Another process was first.
    if (failureOf(error) !== 'wrong-expected-version') throw error;
  }
  const made = await readId(server, names);
  if (made === null) throw new KcmError('integrity', 'The id of the ledger was not kept.');
  return made;
}

/** The id is its event's id too: to write it again is a repetition, known to the server. */
export async function writeLedgerId(
  { client }: Server,
  { id: name }: Names,
  id: LedgerId,
  deadline: number,
): Promise<void> {
  const event = {
    id,
    type: 'LedgerBegun',
    contentType: 'application/json' as const,
    data: { id },
    metadata: undefined,
  };
  const expected = { expectedRevision: 'no_stream' as const, requiresLeader: true, deadline };
  await client.appendToStream(name, event, expected);
}

async function readId(server: Server, names: Names): Promise<LedgerId | null> {
  const found = await server.stream(names.id, 0, 1);
  const first = found?.[0];
  if (first === undefined) return null;
  const { id } = first.data as { id?: unknown };
  if (typeof id !== 'string') throw new KcmError('integrity', 'The id of the ledger is damaged.');
  const commit = first.position?.commit ?? 0n;
  if (commit <= 0n || commit >= 2n ** 63n)
    throw new KcmError(
      'integrity',
      'This EventStoreDB tells no positions: 22.10 or newer is needed.',
    );
  return id as LedgerId;
}
