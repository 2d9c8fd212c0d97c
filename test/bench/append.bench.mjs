/**
 * Durable appends to the embedded ledger, beside the floor: one-row commits of plain node:sqlite
 * (WAL, FULL) into the same table with the same row. Rounds are interleaved, so that a slow spell
 * of the machine or its disk meets all of them.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';

const ROUNDS = 7;
const EVENTS = { raw: 1500, one: 1500, sixteen: 16_000 };

const newStream = () => `key-acme.l3-${randomUUID().slice(-12)}`;
const event = () => ({
  id: randomUUID(),
  type: 'KeyVersionActivated',
  schemaVersion: 1,
  data: {
    keyId: 'l3-0123456789ab',
    version: 4,
    service: 'payments',
    digest: 'sha256-'.padEnd(71, '0'),
    commitment: '0123456789abcdef0123456789abcdef',
  },
  meta: {
    commandId: '0b8c8f3e-8d3a-5f0e-9a0b-1c2d3e4f5a6b',
    fingerprint: 'f'.repeat(64),
    tenant: 'acme',
    actor: 'sub-abcdefghijklmnopqrstuvwxyz',
    origin: 'local',
    term: 1,
    epoch: 3,
    occurredAt: '2026-01-02T03:04:05.678Z',
    correlationId: 'b9a7f9f6-6a53-4f0e-8f59-0d8f5d1d2c3b',
    causationId: 'b9a7f9f6-6a53-4f0e-8f59-0d8f5d1d2c3b',
  },
});

/** Requests to writer threads: one is one transaction, hence one fsync. */
let requests = 0;
const post = Reflect.get(Worker.prototype, 'postMessage');
Worker.prototype.postMessage = function count(...args) {
  requests += 1;
  return Reflect.apply(post, this, args);
};

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function measured(events, run) {
  const cpu = process.cpuUsage();
  const posted = requests;
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: events / seconds,
    cpuMicros: (user + system) / events,
    perCommit: requests === posted ? 1 : events / (requests - posted),
  };
}

async function writers(ledger, count, events) {
  const each = events / count;
  await Promise.all(
    Array.from({ length: count }, async () => {
      const stream = newStream();
      for (let n = 0; n < each; n += 1)
        await ledger.append(stream, n === 0 ? 'noStream' : n - 1, [event()]);
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
  const raw = async () => {
    const stream = newStream();
    for (let n = 0; n < EVENTS.raw; n += 1) {
      const { id, type, data, meta } = event();
      insert.run(stream, n, id, type, 1, JSON.stringify(data), JSON.stringify(meta), n);
    }
  };
  const rounds = { raw: [], one: [], sixteen: [] };
  try {
    for (let round = -1; round < ROUNDS; round += 1) {
      const got = {
        raw: await measured(EVENTS.raw, raw),
        one: await measured(EVENTS.one, () => writers(ledger, 1, EVENTS.one)),
        sixteen: await measured(EVENTS.sixteen, () => writers(ledger, 16, EVENTS.sixteen)),
      };
      // The first round only warms up.
      if (round >= 0) for (const name of Object.keys(got)) rounds[name].push(got[name]);
    }
  } finally {
    db.close();
    await ledger.close();
    rmSync(folder, { recursive: true });
  }
  const summary = Object.fromEntries(
    Object.entries(rounds).map(([name, list]) => [
      name,
      Object.fromEntries(
        Object.keys(list[0]).map((key) => [key, median(list.map((round) => round[key]))]),
      ),
    ]),
  );
  const ofRaw = (name) =>
    median(rounds[name].map((round, n) => round.perSecond / rounds.raw[n].perSecond));
  const rows = [
    ['raw node:sqlite, 1 row a commit', summary.raw, 1],
    ['ledger, 1 writer', summary.one, ofRaw('one')],
    ['ledger, 16 writers', summary.sixteen, ofRaw('sixteen')],
  ];
  console.table(
    rows.map(([what, { perSecond, perCommit, cpuMicros }, ratio]) => ({
      what,
      'events/s': Math.round(perSecond),
      'of raw': ratio.toFixed(2),
      'events/fsync': perCommit.toFixed(1),
      'CPU µs/event': cpuMicros.toFixed(1),
    })),
  );
  return {
    name: 'append',
    rounds: ROUNDS,
    raw: summary.raw,
    oneWriter: { ...summary.one, ofRaw: ofRaw('one') },
    sixteenWriters: { ...summary.sixteen, ofRaw: ofRaw('sixteen') },
  };
}
