import { join } from 'node:path';
import { eventIdOf, type RecordedEvent, systemRandom } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import type { Acknowledged } from './stubborn-client.js';

/** Every event of a stopped server, in the order of the ledger. */
export async function eventsOf(dataDir: string): Promise<readonly RecordedEvent[]> {
  const ledger = await openSqliteLedger({ file: join(dataDir, 'ledger.db'), random: systemRandom });
  try {
    return await readAll(ledger);
  } finally {
    await ledger.close();
  }
}

/** Every event that it holds now, in its order. @throws what reading it throws */
export async function readAll(ledger: Pick<Ledger, 'feed'>): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const item of ledger.feed('start', new AbortController().signal)) {
    if (item.kind === 'events') events.push(...item.events);
    if (item.kind === 'caughtUp') break;
  }
  return events;
}

const nameOf = ({ stream, revision, type }: RecordedEvent) => `${stream}@${revision} ${type}`;

/** Nothing missing, nothing double, nothing half: what is wrong, in words; empty when all is well. */
export function faultsOf(
  events: readonly RecordedEvent[],
  acknowledged: readonly Acknowledged[],
): string[] {
  return [
    ...notOnce(events, acknowledged),
    ...brokenStreams(events),
    ...halves(events),
    ...callsLeftOpen(events),
  ];
}

/** Each acknowledged command is in one stream, with the event it is known by, once. */
function notOnce(
  events: readonly RecordedEvent[],
  acknowledged: readonly Acknowledged[],
): string[] {
  const byCommand = Map.groupBy(events, ({ meta }) => meta.commandId);
  return acknowledged.flatMap(({ commandId, what, event }) => {
    const mine = byCommand.get(commandId) ?? [];
    const known = mine.filter(({ type }) => type === event).length;
    const streams = new Set(mine.map(({ stream }) => stream)).size;
    return known === 1 && streams === 1
      ? []
      : [`${what} (${commandId}): ${known} ${event} in ${streams} streams`];
  });
}

/** Revisions without a gap, ids without a double, each id the one that its command gives it. */
function brokenStreams(events: readonly RecordedEvent[]): string[] {
  const faults: string[] = [];
  const next = new Map<string, number>();
  const ordinals = new Map<string, number>();
  const ids = new Set<string>();
  for (const event of events) {
    const { id, stream, revision, meta } = event;
    if (revision !== (next.get(stream) ?? 0)) faults.push(`${nameOf(event)}: a gap before it`);
    next.set(stream, revision + 1);
    if (ids.has(id)) faults.push(`${nameOf(event)}: twice`);
    ids.add(id);
    const key = `${stream} ${meta.commandId}`;
    const ordinal = ordinals.get(key) ?? 0;
    ordinals.set(key, ordinal + 1);
    if (id !== eventIdOf(meta.commandId, stream, ordinal))
      faults.push(`${nameOf(event)}: not the id of its command's event ${ordinal}`);
  }
  return faults;
}

/** What is appended together: the second never without the first, the first never alone. */
const TOGETHER: readonly (readonly [string, string])[] = [
  ['KeyCreated', 'KeyVersionWrapped'],
  ['KeyRotated', 'KeyVersionDeactivated'],
  ['MaterialShredded', 'RevocationShredded'],
];

function halves(events: readonly RecordedEvent[]): string[] {
  const byPlace = new Map(events.map((event) => [`${event.stream}@${event.revision}`, event]));
  return events.flatMap((event) => {
    const { stream, revision, meta, type } = event;
    const wanted = TOGETHER.find(([first]) => first === type)?.[1];
    if (wanted === undefined) return [];
    const second = byPlace.get(`${stream}@${revision + 1}`);
    return second?.type === wanted && second.meta.commandId === meta.commandId
      ? []
      : [`${nameOf(event)}: without its ${wanted}`];
  });
}

const OUTCOMES = new Set([
  'KeystoreCallSucceeded',
  'KeystoreCallRefused',
  'KeystoreCallFailed',
  'KeystoreCallOutcomeUnknown',
]);

const callOf = ({ data }: RecordedEvent) => data['callId'] as string;

/** Every call to a keystore was recorded before it was made, and has one outcome. */
function callsLeftOpen(events: readonly RecordedEvent[]): string[] {
  const outcomes = Map.groupBy(
    events.filter(({ type }) => OUTCOMES.has(type)),
    callOf,
  );
  return events
    .filter(({ type }) => type === 'KeystoreCallIntended')
    .map((event) => ({ event, count: outcomes.get(callOf(event))?.length ?? 0 }))
    .filter(({ count }) => count !== 1)
    .map(({ event, count }) => `${nameOf(event)} ${callOf(event)}: ${count} outcomes`);
}
