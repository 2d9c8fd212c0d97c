import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accessDecider, type AccessEvent } from '@kcm/domain';
import {
  canonicalJson,
  type Json,
  type RecordedEvent,
  streamOf,
  systemClock,
  systemRandom,
} from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { acmeStory, sampleEvent } from '@kcm/testing';
import { GrowingTree, leafOf } from '@kcm/transparency';
import {
  exportLedger,
  importLedger,
  placeOf,
  withLedger,
  withNewLedger,
} from '../../apps/ledger/index.js';
import { eventsOf, readAll } from '../crash/ledger-audit.js';
import { EventStoreDouble } from '../support/eventstoredb-double.js';
import { removeFolder, scratchFolder } from '../support/server.js';

const MAIN = join(import.meta.dirname, '..', '..', 'dist/apps/ledger/main.js');
const written = acmeStory().events.filter(({ type }) => type !== 'TermRaised');
/** Of an event all but its position, which is of its ledger. */
const said = (events: readonly RecordedEvent[]): string =>
  canonicalJson(events.map((event) => ({ ...event, position: null })) as unknown as Json);
const rootOf = (events: readonly RecordedEvent[]): string => {
  const tree = new GrowingTree();
  for (const event of events) tree.append(leafOf(event));
  return tree.root().toString('hex');
};
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  );

/** Takes so many appends; the next one never reaches the ledger. */
function cutAfter(left: number, ledger: Ledger): Ledger {
  return {
    id: ledger.id,
    append(...args) {
      left -= 1;
      return left < 0 ? Promise.reject(new Error('cut')) : ledger.append(...args);
    },
    readStream: (...args) => ledger.readStream(...args),
    feed: (...args) => ledger.feed(...args),
    head: () => ledger.head(),
    close: () => ledger.close(),
  };
}

describe('A ledger that is moved', () => {
  const double = EventStoreDouble.begin();
  afterAll(() => double.end());
  let scratch: string;
  let file: string;
  const folder = (name: string) => placeOf({ KCM_DATA_DIR: join(scratch, name) });
  const exported = (place: ReturnType<typeof placeOf>, to: string) =>
    withLedger(place, (ledger) => exportLedger(ledger, to));
  const imported = (place: ReturnType<typeof placeOf>, from = file) =>
    withNewLedger(place, (ledger) => importLedger(ledger, from, systemClock));
  beforeAll(async () => {
    scratch = scratchFolder('ledger-move');
    file = join(scratch, 'a.ledger');
    const source = folder('source');
    await withNewLedger(source, async (ledger) => {
      for (const event of written) {
        const { stream, revision, position: _, ...fresh } = event;
        await ledger.append(stream, revision === 0 ? 'noStream' : revision - 1, [fresh]);
      }
    });
    await exported(source, file);
  });
  afterAll(() => removeFolder(scratch));

  it('is the same in another engine and back: order, ids, revisions, root; then each term is raised', async () => {
    const store = await double.store();
    const server = placeOf({ KCM_LEDGER: store.url, KCM_DATA_DIR: join(scratch, 'server') });
    const first = await imported(server);
    expect(first).toMatchObject({ events: written.length, tenants: 2 });
    const back = join(scratch, 'b.ledger');
    await exported(server, back);
    const second = await imported(folder('back'), back);
    expect(new Set([first.from, first.ledger, second.ledger]).size).toBe(3);
    expect(second.from).toBe(first.ledger);
    const events = await eventsOf(join(scratch, 'back'));
    expect(said(events.slice(0, written.length))).toEqual(said(written));
    expect(rootOf(events.slice(0, written.length))).toBe(rootOf(written));
    const raised = events.slice(written.length);
    expect(raised.map(({ stream, data }) => [stream, data])).toEqual(
      [first.ledger, second.ledger].flatMap((ledger, moved) =>
        ['access-acme', 'access-bank'].map((stream) => [stream, { term: moved + 2, ledger }]),
      ),
    );
    const acme = events.filter(({ stream }) => stream === 'access-acme');
    const state = acme.reduce(
      (at, event) => accessDecider.evolve(at, event as unknown as AccessEvent),
      accessDecider.initial,
    );
    expect(state).toMatchObject({ status: 'killed', term: 3, epoch: 6 });
    expect(acme.at(-1)!.meta).toMatchObject({ term: 3, epoch: 6, tenant: 'acme' });
  });

  it('cut at any append is taken up again, and is then as if it had not been cut', async () => {
    const place = folder('cut');
    const ids = new Set<string>();
    for (let cuts = 0; ; cuts += 1) {
      const done = await withNewLedger(place, (ledger) => {
        ids.add(ledger.id);
        return importLedger(cutAfter(17, ledger), file, systemClock);
      }).catch((error: unknown) => error);
      expect(existsSync(join(scratch, 'cut/ledger.db'))).toBe(!(done instanceof Error));
      if (!(done instanceof Error)) break;
      expect([done.message, cuts < 10]).toEqual(['cut', true]);
    }
    expect(ids.size).toBe(1);
    const events = await eventsOf(join(scratch, 'cut'));
    expect(said(events.slice(0, written.length))).toEqual(said(written));
    expect(events).toHaveLength(written.length + 2);
    expect(existsSync(join(scratch, 'cut/ledger.import'))).toBe(false);
  });

  it('killed anywhere in its import it is whole afterwards, or has no name', async () => {
    const data = join(scratch, 'killed');
    const wal = join(data, 'ledger.import/ledger.db-wal');
    const grown = () => (existsSync(wal) ? statSync(wal).size : 0);
    const runs: (number | null)[] = [];
    for (const bytes of [20_000, 100_000, 300_000, Number.POSITIVE_INFINITY]) {
      const before = grown();
      const args = [MAIN, 'import', file, '--quiet'];
      const env = { PATH: process.env['PATH'], KCM_DATA_DIR: data };
      const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
      const watch = setInterval(() => {
        if (grown() - before >= bytes) child.kill('SIGKILL');
      }, 1);
      const [code] = (await once(child, 'exit')) as [number | null];
      clearInterval(watch);
      runs.push(code);
      expect(existsSync(join(data, 'ledger.db'))).toBe(code === 0);
      if (code === 0) break;
    }
    expect([runs[0], runs.at(-1)]).toEqual([null, 0]);
    const events = await eventsOf(data);
    expect(said(events.slice(0, written.length))).toEqual(said(written));
    expect(events).toHaveLength(written.length + 2);
  });

  it('is refused by name when its file is not whole, not as it was, or another thing', async () => {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const streamAt = (at: number) => (JSON.parse(lines[at]!) as RecordedEvent).stream;
    const seam = lines.findIndex((_, at) => at > 0 && streamAt(at) !== streamAt(at + 1));
    const swapped = (at: number) => lines.toSpliced(at, 2, lines[at + 1]!, lines[at]!);
    const alike = lines.findIndex((_, at) => at > 0 && streamAt(at) === streamAt(at + 1));
    const twice = lines.toSpliced(3, 0, lines[2]!);
    const altered = lines.map((line) => line.replace('"actor":"sub-admin"', '"actor":"sub-other"'));
    const files: readonly [string, string][] = [
      ['not_an_export', 'SQLite format 3'],
      ['not_an_export', ''],
      ['export_cut', lines.slice(0, -1).join('\n') + '\n'],
      ['export_cut', lines.join('\n').slice(0, -1)],
      ['export_cut', lines.slice(0, 9).join('\n')],
      ['export_reordered', twice.join('\n') + '\n'],
      ['export_reordered', lines.toSpliced(2, 1).join('\n') + '\n'],
      ['export_reordered', swapped(alike).join('\n') + '\n'],
      ['export_damaged', swapped(seam).join('\n') + '\n'],
      ['export_damaged', altered.join('\n') + '\n'],
      ['export_damaged', lines.join('\n') + '\n{}\n'],
      ['export_damaged', lines.toSpliced(4, 1, '{"id":1}').join('\n') + '\n'],
      ['integrity', lines.join('\n').replace('RegionInitialized', 'RegionForgotten') + '\n'],
    ];
    const other = join(scratch, 'other.ledger');
    for (const [name, text] of files) {
      writeFileSync(other, text);
      expect([name, await refusal(imported(folder('refused'), other))]).toEqual([name, name]);
    }
    expect(existsSync(join(scratch, 'refused/ledger.db'))).toBe(false);
  });

  it('goes into an empty ledger only, and out of one that is there, into a new file', async () => {
    expect(await refusal(imported(folder('source')))).toBe('ledger_not_empty');
    expect(await refusal(exported(folder('source'), file))).toBe('file_exists');
    expect(await refusal(exported(folder('nowhere'), join(scratch, 'c')))).toBe('no_ledger');
    const held = await openSqliteLedger({
      file: join(scratch, 'source/ledger.db'),
      random: systemRandom,
    });
    expect(said(await readAll(held))).toEqual(said(written));
    await held.close();
    const store = await double.store();
    const server = placeOf({ KCM_LEDGER: store.url, KCM_DATA_DIR: join(scratch, 'server') });
    const first = await imported(server);
    // The same again is the same import.
    expect(await imported(server)).toEqual(first);
    // Its own export is no copy: the terms of a ledger that serves must not rise.
    await exported(server, join(scratch, 'own'));
    expect(await refusal(imported(server, join(scratch, 'own')))).toBe('ledger_not_empty');
    await withLedger(server, (ledger) =>
      ledger.append(streamOf('tenant', 'late'), 'noStream', [sampleEvent({})]),
    );
    expect(await refusal(imported(server))).toBe('ledger_not_empty');
  });
});
