/**
 * P9: the rebuild of a read model from 200,000 events in the embedded ledger, beside a scan of the
 * same rows with JSON.parse of their data and envelope, which no rebuild can do without. The events
 * of all keys lie between each other: that is the case that is hard on a fold.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ProjectionRunner } from '../../dist/libs/application/index.js';
import { eventCatalog } from '../../dist/libs/domain/index.js';
import { systemRandom, systemScheduler } from '../../dist/libs/kernel/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';
import { openMongoReadModels } from '../../dist/libs/read-models/mongodb/index.js';
import { openSqliteReadModels } from '../../dist/libs/read-models/sqlite/index.js';
import { startMongoStandin } from '../../scripts/services/mongo-standin.mjs';
import { tenantKeys } from '../../dist/projections/tenant-keys/index.js';
import { interleaved, measured, medians, ratioOf } from './lib/measure.mjs';
import { against, base, perSecond, told } from './lib/report.mjs';
import { meta } from './lib/samples.mjs';

const ROUNDS = 5;
const KEYS = 10_000;
const EVENTS_PER_KEY = 20;
const EVENTS = KEYS * EVENTS_PER_KEY;
/** Appends under way at once. */
const WRITERS = 250;
const SAMPLE_MS = 50;
const MIB = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** The life of one key: made, then rotated again and again. */
function dataAt(revision) {
  if (revision === 0)
    return ['KeyCreated', { level: 'L3', service: 'billing', parent: 'l2-000000000001' }];
  const version = Math.ceil((revision + 1) / 3);
  const operation = randomUUID();
  if (revision % 3 === 2) return ['KeyRotationRequested', { from: version, operation }];
  if (revision % 3 === 0) return ['KeyRotated', { from: version, to: version + 1, operation }];
  const wrappedBy = { id: 'l2-000000000001', version: '1' };
  const digest = 'd'.repeat(64);
  return ['KeyVersionWrapped', { version, wrappedBy, digest, commitment: 'c'.repeat(32) }];
}

async function fill(ledger, from, to) {
  for (let revision = from; revision < to; revision += 1)
    for (let at = 0; at < KEYS; at += WRITERS)
      await Promise.all(
        Array.from({ length: WRITERS }, (_value, n) => {
          const stream = `key-acme.l3-${String(at + n).padStart(12, '0')}`;
          const [type, data] = dataAt(revision);
          const event = { id: randomUUID(), type, schemaVersion: 1, data, meta };
          return ledger.append(stream, revision === 0 ? 'noStream' : revision - 1, [event]);
        }),
      );
}

function scan(file) {
  const db = new DatabaseSync(file, { readOnly: true });
  let seen = 0;
  try {
    for (const row of db.prepare('SELECT * FROM events ORDER BY position').iterate())
      if (JSON.parse(row.data) !== null && JSON.parse(row.meta).term === 1) seen += 1;
  } finally {
    db.close();
  }
  if (seen !== EVENTS) throw new Error(`the scan saw ${seen} events`);
}

/** Most memory (MiB) that is held while `act` runs: what a collection leaves. */
async function peakOf(act) {
  let most = 0;
  const look = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    most = Math.max(most, (heapUsed + external) / MIB);
  };
  const timer = setInterval(look, SAMPLE_MS);
  await act();
  clearInterval(timer);
  look();
  return most;
}

export async function run() {
  const folder = mkdtempSync(join(process.cwd(), '.bench-'));
  const ledgerFile = join(folder, 'ledger.db');
  const ledger = await openSqliteLedger({ file: ledgerFile, random: systemRandom });
  const store = await openSqliteReadModels({ file: join(folder, 'read-models.db') });
  const report = (_name, error) => {
    throw error;
  };
  const into = (models) => {
    const deps = { ledger, catalog: eventCatalog, writer: models, reader: models, report };
    const runner = new ProjectionRunner(
      { ...deps, scheduler: systemScheduler, random: systemRandom },
      [tenantKeys],
    );
    return () => runner.rebuild(tenantKeys.name);
  };
  const rebuild = into(store);
  // As if for the first time: what stood there before is not compared with.
  const reset = () => store.reset(tenantKeys.name, tenantKeys.version);
  const peaks = { half: 0, whole: 0 };
  const rebuilt = async (which) => {
    await reset();
    peaks[which] = await peakOf(rebuild);
  };
  try {
    await fill(ledger, 0, EVENTS_PER_KEY / 2);
    await rebuilt('half');
    await fill(ledger, EVENTS_PER_KEY / 2, EVENTS_PER_KEY);
    const seen = await interleaved(ROUNDS, {
      scan: () => measured(EVENTS, () => scan(ledgerFile)),
      rebuild: async () => {
        await reset();
        return measured(EVENTS, rebuild);
      },
    });
    await rebuilt('whole');
    return shown(seen, peaks, await standingIn(into));
  } finally {
    await store.close();
    await ledger.close();
    rmSync(folder, { recursive: true });
  }
}

/** Once: the stand-in for MongoDB looks through all documents for each that is written guarded. */
async function standingIn(into) {
  const standin = await startMongoStandin();
  const store = await openMongoReadModels({ url: `mongodb://${standin.address}/kcm_bench` });
  try {
    return await measured(EVENTS, into(store));
  } finally {
    await store.close();
    await standin.stop();
  }
}

function shown(seen, peaks, mongo) {
  const of = medians(seen);
  const grew = peaks.whole - peaks.half;
  const events = EVENTS.toLocaleString('en-US');
  return told({
    name: 'rebuild',
    rounds: ROUNDS,
    rows: [
      base(`scan + JSON.parse of ${events} rows`, perSecond(of.scan.perSecond), of.scan.cpuMicros),
      against('P9', `rebuild of tenant-keys, ${KEYS.toLocaleString('en-US')} keys`, ['≥', 0.85], {
        seen: perSecond(of.rebuild.perSecond),
        ratio: ratioOf(seen, 'rebuild', 'scan'),
        cpuMicros: of.rebuild.cpuMicros,
      }),
      {
        ...base('the same into MongoDB (stand-in), once', perSecond(mongo.perSecond)),
        ratio: mongo.perSecond / of.scan.perSecond,
        cpuMicros: mongo.cpuMicros,
      },
      against('P9', 'memory that twice the events take more', ['≤', 64, 'MiB'], {
        seen: `${grew.toFixed(0)} of ${peaks.whole.toFixed(0)} MiB`,
        value: grew,
      }),
    ],
    notShown: [
      'a ledger larger than the page cache: here all rows are read from memory',
      'a million events or more; what a rebuild holds is bounded, so that its memory stays',
    ],
    figures: { of, mongo, peaksMiB: peaks },
  });
}
