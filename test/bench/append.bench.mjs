/**
 * P8: durable appends to the embedded ledger, beside the floor: one-row commits of plain node:sqlite
 * (WAL, FULL) into the same table with the same row. Rounds are interleaved, so that a slow spell
 * of the machine or its disk meets all of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';
import { interleaved, measured, medians, ratioOf } from './lib/measure.mjs';
import { against, base, micros, perSecond, told } from './lib/report.mjs';
import { newEvent, newStream } from './lib/samples.mjs';

const ROUNDS = 7;
const EVENTS = { raw: 1000, rawSixteen: 8_000, one: 1000, sixteen: 16_000 };
const TOGETHER = 16;

/** Requests to writer threads: one is one transaction, hence one fsync. */
let requests = 0;
const post = Reflect.get(Worker.prototype, 'postMessage');
Worker.prototype.postMessage = function count(...args) {
  requests += 1;
  return Reflect.apply(post, this, args);
};

/** A turn, and how many events one transaction took. */
async function turn(events, act) {
  const posted = requests;
  const got = await measured(events, act);
  return { ...got, perCommit: requests === posted ? 1 : events / (requests - posted) };
}

async function writers(ledger, count, events) {
  const each = events / count;
  await Promise.all(
    Array.from({ length: count }, async () => {
      const stream = newStream();
      for (let n = 0; n < each; n += 1)
        await ledger.append(stream, n === 0 ? 'noStream' : n - 1, [newEvent()]);
    }),
  );
}

export async function run() {
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  const ledger = await openSqliteLedger({ file: join(folder, 'ledger.db'), random: systemRandom });
  const db = new DatabaseSync(join(folder, 'raw.db'));
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE events(position INTEGER PRIMARY KEY, stream TEXT NOT NULL,
      revision INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
      schema_version INTEGER NOT NULL, data TEXT NOT NULL, meta TEXT NOT NULL,
      checksum INTEGER NOT NULL, UNIQUE (stream, revision)) STRICT`);
  const insert = db.prepare(`INSERT INTO events(stream, revision, id, type, schema_version, data,
    meta, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  const insertOne = (stream, revision) => {
    const { id, type, data, meta } = newEvent();
    const row = [id, type, 1, JSON.stringify(data), JSON.stringify(meta), revision];
    insert.run(stream, revision, ...row);
  };
  const raw = async () => {
    const stream = newStream();
    for (let n = 0; n < EVENTS.raw; n += 1) insertOne(stream, n);
  };
  const rawSixteen = async () => {
    const streams = Array.from({ length: TOGETHER }, newStream);
    for (let n = 0; n < EVENTS.rawSixteen / TOGETHER; n += 1) {
      db.exec('BEGIN IMMEDIATE');
      for (const stream of streams) insertOne(stream, n);
      db.exec('COMMIT');
    }
  };
  try {
    const seen = await interleaved(ROUNDS, {
      raw: () => turn(EVENTS.raw, raw),
      rawSixteen: () => turn(EVENTS.rawSixteen, rawSixteen),
      one: () => turn(EVENTS.one, () => writers(ledger, 1, EVENTS.one)),
      sixteen: () => turn(EVENTS.sixteen, () => writers(ledger, TOGETHER, EVENTS.sixteen)),
    });
    return shown(seen);
  } finally {
    db.close();
    await ledger.close();
    rmSync(folder, { recursive: true });
  }
}

function shown(seen) {
  const of = medians(seen);
  const { one, rawSixteen, sixteen } = of;
  const rows = [
    base('raw node:sqlite, 1 row a commit', perSecond(of.raw.perSecond), of.raw.cpuMicros),
    against('P8', 'ledger, 1 writer', ['≥', 0.8], {
      seen: perSecond(one.perSecond),
      ratio: ratioOf(seen, 'one', 'raw'),
      cpuMicros: one.cpuMicros,
    }),
    base(
      'raw node:sqlite, 16 rows a commit',
      perSecond(rawSixteen.perSecond),
      rawSixteen.cpuMicros,
    ),
    against('P8', 'ledger, 16 writers: events per fsync', ['≥', 12, 'events'], {
      seen: `${sixteen.perCommit.toFixed(1)}, ${perSecond(sixteen.perSecond)}`,
      ratio: ratioOf(seen, 'sixteen', 'rawSixteen'),
      value: sixteen.perCommit,
      cpuMicros: sixteen.cpuMicros,
    }),
    against('P8', 'ledger, 16 writers: CPU/event', ['≤', 15, 'µs'], {
      seen: micros(sixteen.cpuMicros),
      value: sixteen.cpuMicros,
    }),
  ];
  return told({
    name: 'append',
    rounds: ROUNDS,
    rows,
    notShown: [
      'a disk whose fsync takes milliseconds: there the hop to the writer thread no longer counts',
      'commands: a decision, its read and its projection come on top of an append',
    ],
    figures: { of },
  });
}
