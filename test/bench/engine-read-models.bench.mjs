/**
 * One commit of a read model (a page of documents and the checkpoint) in each engine, beside the
 * bare driver that writes the same documents without a guard. MongoDB is a STAND-IN in memory (or
 * the server of MONGODB_URL): what is shown is what the adapter adds.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MongoClient } from 'mongodb';
import { openMongoReadModels } from '../../dist/libs/read-models/mongodb/index.js';
import { openSqliteReadModels } from '../../dist/libs/read-models/sqlite/index.js';
import { startMongoStandin } from '../../scripts/services/mongo-standin.mjs';
import { interleaved, measured, medians, ratioOf } from './lib/measure.mjs';
import { base, perSecond, told } from './lib/report.mjs';

const ROUNDS = 5;
const COMMITS = 20;
const DOCS = 100;
const WRITTEN = COMMITS * DOCS;
const NAME = 'bench';
const VERSION = 1;
const LEDGER = randomUUID();

let turns = 0;
/** Pages of documents, the same keys each time, each newer than all before. */
function* pages() {
  for (let commit = 0; commit < COMMITS; commit += 1) {
    turns += 1;
    const at = String(turns).padStart(20, '0');
    const docs = Array.from({ length: DOCS }, (_value, n) => ({
      key: `l3-${String(commit * DOCS + n).padStart(12, '0')}`,
      doc: { service: 'payments', state: 'active', version: turns, digest: 'sha256-'.padEnd(71) },
      at,
    }));
    yield { docs, next: { ledger: LEDGER, position: at } };
  }
}
const committed = (store) => async () => {
  for (const { docs, next } of pages()) await store.commit(NAME, VERSION, docs, next, []);
};

function rawSqlite(file) {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE docs(key TEXT PRIMARY KEY, at TEXT NOT NULL, doc TEXT) STRICT, WITHOUT ROWID;
    CREATE TABLE checkpoint(name TEXT PRIMARY KEY, position TEXT NOT NULL) STRICT`);
  const put = db.prepare('INSERT OR REPLACE INTO docs VALUES (?, ?, ?)');
  const reach = db.prepare('INSERT OR REPLACE INTO checkpoint VALUES (?, ?)');
  const write = async () => {
    for (const { docs, next } of pages()) {
      db.exec('BEGIN IMMEDIATE');
      for (const { key, doc, at } of docs) put.run(key, at, JSON.stringify(doc));
      reach.run(NAME, next.position);
      db.exec('COMMIT');
    }
  };
  return { write, close: () => db.close() };
}

function rawMongo(client, database) {
  const writeConcern = { w: 'majority', journal: true };
  const db = client.db(database, { writeConcern });
  return async () => {
    for (const { docs, next } of pages()) {
      const writes = docs.map(({ key, doc, at }) => ({
        replaceOne: { filter: { _id: key }, replacement: { at, doc }, upsert: true },
      }));
      await db.collection('docs').bulkWrite(writes, { ordered: false });
      const set = { $set: { position: next.position } };
      await db.collection('checkpoint').updateOne({ _id: NAME }, set, { upsert: true });
    }
  };
}

async function sqlite() {
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  const raw = rawSqlite(join(folder, 'raw.db'));
  const store = await openSqliteReadModels({ file: join(folder, 'read-models.db') });
  try {
    return await interleaved(ROUNDS, {
      rawSqlite: () => measured(WRITTEN, raw.write),
      sqlite: () => measured(WRITTEN, committed(store)),
    });
  } finally {
    await store.close();
    raw.close();
    rmSync(folder, { recursive: true });
  }
}

async function mongo(server) {
  const database = `kcm_bench_${randomUUID().slice(0, 8)}`;
  const url = new URL(server);
  url.pathname = `/${database}`;
  const client = new MongoClient(url.href);
  const store = await openMongoReadModels({ url: url.href });
  try {
    return await interleaved(ROUNDS, {
      rawMongo: () => measured(WRITTEN, rawMongo(client, database)),
      mongo: () => measured(WRITTEN, committed(store)),
    });
  } finally {
    await store.close();
    await client.db(database).dropDatabase();
    await client.close();
  }
}

export async function run() {
  const real = process.env.MONGODB_URL;
  const standin = real ? null : await startMongoStandin();
  try {
    const server = real || `mongodb://${standin.address}`;
    return shown({ ...(await sqlite()), ...(await mongo(server)) }, real ? 'real' : 'stand-in');
  } finally {
    await standin?.stop();
  }
}

function shown(seen, which) {
  const of = medians(seen);
  const bare = (what, name) => base(what, perSecond(of[name].perSecond), of[name].cpuMicros);
  const beside = (what, name, other) => ({
    ...bare(what, name),
    ratio: ratioOf(seen, name, other),
  });
  return told({
    name: 'engine-read-models',
    rounds: ROUNDS,
    rows: [
      bare(`node:sqlite: ${DOCS} documents a commit`, 'rawSqlite'),
      beside('read models in SQLite: documents', 'sqlite', 'rawSqlite'),
      bare(`MongoDB (${which}), bare driver: ${DOCS} documents a bulk`, 'rawMongo'),
      beside('read models in MongoDB: documents', 'mongo', 'rawMongo'),
    ],
    notShown: ['a MongoDB with a journal and a majority, where MONGODB_URL is not set'],
    figures: { of, mongodb: which },
  });
}
