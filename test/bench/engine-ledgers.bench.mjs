/**
 * The ledger's engines beside the bare way to the same store: feeds of both, appends of
 * EventStoreDB (those of SQLite are the bench `append`), and the scan of an EventStoreDB at each
 * start. The server is a DOUBLE in memory: what is shown is what the adapter adds, in calls and CPU.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EventStoreDBClient } from '@eventstore/db-client';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { openEventStoreLedger } from '../../dist/libs/ledger/eventstoredb/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';
import { startEventStoreDouble } from '../../scripts/services/eventstoredb-double.mjs';
import { interleaved, measured, medians, ratioOf } from './lib/measure.mjs';
import { base, perSecond, told } from './lib/report.mjs';
import { newEvent, newStream } from './lib/samples.mjs';

const ROUNDS = 3;
const ONE = 300;
const SIXTEEN = 800;
const TOGETHER = 16;
const FED = 20_000;
const SCANNED = 100_000;
const PER_APPEND = 50;

const expectedOf = (n) => (n === 0 ? 'no_stream' : BigInt(n - 1));
const wireEvent = () => {
  const { id, type, data, meta, schemaVersion } = newEvent();
  const metadata = { schemaVersion, meta, append: id };
  return { id, type, contentType: 'application/json', data, metadata };
};

/** So many writers at once, each in a stream of its own; `append(stream, n)` is one event. */
async function written(events, writers, append) {
  await Promise.all(
    Array.from({ length: writers }, async () => {
      const stream = newStream();
      for (let n = 0; n < events / writers; n += 1) await append(stream, n);
    }),
  );
}
const byLedger = (ledger) => (stream, n) =>
  ledger.append(stream, n === 0 ? 'noStream' : n - 1, [newEvent()]);
const byClient = (client) => (stream, n) =>
  client.appendToStream(`bare.${stream}`, wireEvent(), { expectedRevision: expectedOf(n) });

/** As much as the ledger asks of the server: an append is read back. */
const byCheckedClient = (client) => async (stream, n) => {
  await byClient(client)(stream, n);
  const read = { fromRevision: BigInt(n), maxCount: 1 };
  for await (const { event } of client.readStream(`bare.${stream}`, read))
    if (event.revision !== BigInt(n)) throw new Error('another event was read');
};

async function fill(ledger, events) {
  for (let done = 0; done < events; done += PER_APPEND)
    await ledger.append(newStream(), 'noStream', Array.from({ length: PER_APPEND }, newEvent));
}
function assertSeen(seen, events) {
  if (seen !== events) throw new Error(`${seen} events were seen, and not ${events}`);
}
async function fed(ledger, events) {
  let seen = 0;
  const ended = new AbortController();
  for await (const item of ledger.feed('start', ended.signal)) {
    if (item.kind === 'events') seen += item.events.length;
    if (item.kind === 'caughtUp') break;
  }
  ended.abort();
  assertSeen(seen, events);
}
async function readBare(client, events) {
  let seen = 0;
  for await (const { event } of client.readAll({ fromPosition: 'start', direction: 'forwards' }))
    if (event?.streamId.startsWith('kcm.key-')) seen += 1;
  assertSeen(seen, events);
}
function scanBare(file, events) {
  const db = new DatabaseSync(file, { readOnly: true });
  let seen = 0;
  for (const row of db.prepare('SELECT * FROM events ORDER BY position').iterate())
    if (JSON.parse(row.data) !== null && JSON.parse(row.meta).term === 1) seen += 1;
  db.close();
  assertSeen(seen, events);
}

async function withDouble(act) {
  const double = await startEventStoreDouble();
  const open = () => openEventStoreLedger({ url: double.url, random: systemRandom });
  const ledger = await open();
  const client = EventStoreDBClient.connectionString(double.url);
  try {
    return await act(ledger, client, open);
  } finally {
    await ledger.close();
    await client.dispose();
    await double.stop();
  }
}

const appends = () =>
  withDouble((ledger, client) =>
    interleaved(ROUNDS, {
      bareOne: () => measured(ONE, () => written(ONE, 1, byClient(client))),
      checkedOne: () => measured(ONE, () => written(ONE, 1, byCheckedClient(client))),
      one: () => measured(ONE, () => written(ONE, 1, byLedger(ledger))),
      bareSixteen: () => measured(SIXTEEN, () => written(SIXTEEN, TOGETHER, byClient(client))),
      sixteen: () => measured(SIXTEEN, () => written(SIXTEEN, TOGETHER, byLedger(ledger))),
    }),
  );
const feeds = () =>
  withDouble(async (ledger, client) => {
    await fill(ledger, FED);
    return interleaved(ROUNDS, {
      bareRead: () => measured(FED, () => readBare(client, FED)),
      feed: () => measured(FED, () => fed(ledger, FED)),
    });
  });
const starts = () =>
  withDouble(async (ledger, client, open) => {
    await fill(ledger, SCANNED);
    return interleaved(1, {
      bareScan: () => measured(SCANNED, () => readBare(client, SCANNED)),
      start: () => measured(SCANNED, async () => (await open()).close()),
    });
  });
async function sqliteFeeds() {
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  const file = join(folder, 'ledger.db');
  const ledger = await openSqliteLedger({ file, random: systemRandom });
  try {
    await fill(ledger, FED);
    return await interleaved(ROUNDS, {
      sqliteScan: () => measured(FED, () => scanBare(file, FED)),
      sqliteFeed: () => measured(FED, () => fed(ledger, FED)),
    });
  } finally {
    await ledger.close();
    rmSync(folder, { recursive: true });
  }
}

export async function run() {
  const seen = {
    ...(await appends()),
    ...(await feeds()),
    ...(await starts()),
    ...(await sqliteFeeds()),
  };
  const of = medians(seen);
  const bare = (what, name) => base(what, perSecond(of[name].perSecond), of[name].cpuMicros);
  const beside = (what, name, other) => ({
    ...bare(what, name),
    ratio: ratioOf(seen, name, other),
  });
  const seconds = SCANNED / of.start.perSecond;
  return told({
    name: 'engine-ledgers',
    rounds: ROUNDS,
    rows: [
      bare('EventStoreDB (double), bare client: 1 writer', 'bareOne'),
      beside('bare client: 1 writer, each read back', 'checkedOne', 'bareOne'),
      beside('the ledger: 1 writer', 'one', 'bareOne'),
      bare('bare client: 16 writers', 'bareSixteen'),
      beside('the ledger: 16 writers', 'sixteen', 'bareSixteen'),
      bare('bare client: readAll', 'bareRead'),
      beside('the ledger: feed from its start', 'feed', 'bareRead'),
      bare('bare client: readAll of 100,000 events', 'bareScan'),
      beside(`the ledger: its start over them, ${seconds.toFixed(1)} s`, 'start', 'bareScan'),
      bare('node:sqlite: scan + JSON.parse', 'sqliteScan'),
      beside('the embedded ledger: feed from its start', 'sqliteFeed', 'sqliteScan'),
    ],
    notShown: [
      'EventStoreDB itself: the double keeps all in memory, and shares the cores',
      'a network: each round trip more costs its latency',
    ],
    figures: { of },
  });
}
