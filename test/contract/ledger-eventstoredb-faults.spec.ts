import { EventStoreDBClient } from '@eventstore/db-client';
import { oneOrMore, systemRandom, type Position, type StreamId } from '@kcm/kernel';
import { LedgerConflict, LedgerOutcomeUnknown, LedgerUnavailable, StreamGone } from '@kcm/ledger';
import { openEventStoreLedger } from '@kcm/ledger/eventstoredb';
import { sampleEvent } from '@kcm/testing';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DoubleStore, EventStoreDouble } from '../support/eventstoredb-double.js';

/** How the adapter stands what the wire does to it: faults that only the double makes. */
describe('the ledger over EventStoreDB, at the wire double', () => {
  const double = EventStoreDouble.begin();
  const stream = 'tenant-acme' as StreamId;
  let store: DoubleStore;
  const open = () => openEventStoreLedger({ url: store.url, random: systemRandom, callMsMax: 500 });
  let ledger: Awaited<ReturnType<typeof open>>;
  let abort: AbortController;
  beforeEach(async () => {
    store = await double.store();
    ledger = await open();
    abort = new AbortController();
  });
  afterEach(async () => {
    abort.abort();
    await ledger.close();
    await store.stop();
  });
  afterAll(() => double.end());

  const some = (count: number) =>
    oneOrMore(Array.from({ length: count }, (_, n) => sampleEvent({ n })))!;
  const revisions = async (): Promise<number[]> => {
    const page = await ledger.readStream(stream, 0, 1_000);
    return page.kind === 'page' ? page.events.map(({ revision }) => revision) : [];
  };
  const upTo = (last: number): number[] => Array.from({ length: last + 1 }, (_, at) => at);
  async function seen(count: number, after: Position | 'start' = 'start'): Promise<string[]> {
    const found: string[] = [];
    for await (const item of ledger.feed(after, abort.signal)) {
      if (item.kind === 'events') found.push(...item.events.map(({ id }) => id));
      if (found.length >= count) break;
    }
    return found;
  }
  const behindOurBack = async <T>(work: (client: EventStoreDBClient) => Promise<T>) => {
    const client = EventStoreDBClient.connectionString(store.url);
    await work(client);
    await client.dispose();
  };

  it.each(['refused', 'lost', 'silent', 'slow', 'noPosition'] as const)(
    'an append whose answer is %s is stored once and answered rightly',
    async (fault) => {
      await store.fault(fault, 1);
      const first = await ledger.append(stream, 'noStream', some(2));
      expect(first).toMatchObject({ revision: 1, replayed: false });
      await store.fault(fault, 1);
      const next = await ledger.append(stream, 1, some(1));
      expect(next).toMatchObject({ revision: 2, replayed: false });
      expect(next.position).toBe(await ledger.head());
      expect(await revisions()).toEqual([0, 1, 2]);
    },
  );

  it.each(['refused', 'lost', 'silent'] as const)(
    'an append that is %s each time is an outcome unknown, and the same again tells',
    async (fault) => {
      const events = some(2);
      await store.fault(fault, 3);
      const append = ledger.append(stream, 'noStream', events);
      await expect(append).rejects.toThrow(LedgerOutcomeUnknown);
      const again = await ledger.append(stream, 'noStream', events);
      expect(again).toMatchObject({ revision: 1, replayed: fault !== 'refused' });
      expect(await revisions()).toEqual([0, 1]);
    },
  );

  it('tells a conflict that a lost answer hides from an append of its own', async () => {
    await ledger.append(stream, 'noStream', some(1));
    await store.fault('lost', 1);
    const both = await Promise.allSettled([
      ledger.append(stream, 0, some(1)),
      ledger.append(stream, 0, some(1)),
    ]);
    const lost = both.filter(({ status }) => status === 'rejected');
    expect(lost).toHaveLength(1);
    expect(lost[0]).toMatchObject({ reason: expect.any(LedgerConflict) });
    expect(await revisions()).toEqual([0, 1]);
  });

  it('a feed yields each event once and in order through all that a line does', async () => {
    const written: string[] = [];
    const reader = seen(60);
    for (let n = 0; n < 30; n += 1) {
      if (n % 5 === 1) await store.fault('halfway', 1);
      if (n % 5 === 2) await store.fault('twice', 40);
      if (n % 5 === 3) await store.cut();
      if (n === 14) await store.fault('mute', 1);
      const events = some(2);
      await ledger.append(`tenant-n${n}` as StreamId, 'noStream', events);
      written.push(...events.map(({ id }) => id));
    }
    expect(await reader).toEqual(written);
  });

  it('goes on by itself when the server was away, with all that was acknowledged', async () => {
    const reader = seen(2);
    await ledger.append(stream, 'noStream', some(1));
    await store.restart(300);
    const deadline = Date.now() + 10_000;
    for (const events = some(1); ;) {
      try {
        await ledger.append(stream, 0, events);
        break;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ledger_unavailable' });
        if (Date.now() > deadline) throw error;
      }
    }
    expect(await reader).toHaveLength(2);
    expect(await revisions()).toEqual(upTo(1));
  });

  it('through three absences loses nothing acknowledged, and feeds each event once', async () => {
    const acknowledged: string[] = [];
    const fed: string[] = [];
    const over = new AbortController();
    const write = async (name: StreamId): Promise<void> => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        const events = some(1);
        for (let stored = false; !stored;)
          stored = await ledger.append(name, n === 0 ? 'noStream' : n - 1, events).then(
            () => true,
            (error: unknown) => {
              expect(error).toMatchObject({ code: 'ledger_unavailable' });
              return false;
            },
          );
        acknowledged.push(events[0].id);
        await sleep(5);
      }
    };
    const reading = (async () => {
      for await (const item of ledger.feed('start', abort.signal))
        if (item.kind === 'events') fed.push(...item.events.map(({ id }) => id));
    })();
    const writing = ['a', 'b', 'c'].map((name) => write(`tenant-${name}` as StreamId));
    for (const ms of [50, 300, 700]) {
      const before = acknowledged.length;
      await store.restart(ms);
      while (acknowledged.length < before + 10) await sleep(10);
    }
    over.abort();
    await Promise.all(writing);
    while (fed.length < acknowledged.length) await sleep(10);
    expect(fed.toSorted()).toEqual(acknowledged.toSorted());
    abort.abort();
    await reading;
  });

  it('proves that it takes appends without storing anything', async () => {
    await ledger.prove();
    expect(await ledger.head()).toBeNull();
    await store.fault('refused', 1);
    await expect(ledger.prove()).rejects.toThrow(LedgerUnavailable);
    await ledger.prove();
    expect((await open()).id).toBe(ledger.id);
  });

  it.each([
    ['$maxAge', { maxAge: 60 }],
    ['$maxCount', { maxCount: 1 }],
    ['$tb', { truncateBefore: 1 }],
  ] as const)('opens no ledger with %s on a stream, and feeds none', async (setting, metadata) => {
    await ledger.append(stream, 'noStream', some(2));
    await behindOurBack((client) => client.setStreamMetadata(`kcm.${stream}`, metadata));
    await expect(open()).rejects.toMatchObject({
      code: 'integrity',
      message: expect.stringContaining(setting),
    });
    await expect(seen(3)).rejects.toMatchObject({ code: 'integrity' });
  });

  it('a stream deleted behind our back is gone: never read as none, never begun anew', async () => {
    await ledger.append(stream, 'noStream', some(2));
    await behindOurBack((client) => client.deleteStream(`kcm.${stream}`));
    await expect(ledger.append(stream, 'noStream', some(1))).rejects.toThrow(StreamGone);
    await expect(ledger.readStream(stream, 0, 10)).rejects.toThrow(StreamGone);
    await expect(seen(3)).rejects.toThrow(StreamGone);
    await expect(open()).rejects.toMatchObject({ code: 'integrity' });
  });

  it('a tombstone too', async () => {
    await ledger.append(stream, 'noStream', some(2));
    await behindOurBack((client) => client.tombstoneStream(`kcm.${stream}`));
    await expect(ledger.append(stream, 1, some(1))).rejects.toThrow(StreamGone);
    await expect(ledger.readStream(stream, 0, 10)).rejects.toThrow(StreamGone);
    await expect(seen(3)).rejects.toThrow(StreamGone);
    await expect(open()).rejects.toThrow(StreamGone);
  });

  it('reads no stream of others, no link and nothing of the server’s own', async () => {
    const id = randomUUID();
    const other = { id, type: 'Other', contentType: 'application/json' as const };
    const event = { ...other, data: {}, metadata: undefined };
    await behindOurBack(async (client) => {
      for (const name of ['tenant-acme', 'other.tenant-acme', 'kcmx-1'])
        await client.appendToStream(name, event, { expectedRevision: 'no_stream' });
    });
    const events = some(1);
    await ledger.append(stream, 'noStream', events);
    expect(await seen(1)).toEqual([events[0].id]);
  });

  it('names what is wrong at the start: no connection string, nobody there', async () => {
    const wrong = (url: string) =>
      openEventStoreLedger({ url, random: systemRandom, callMsMax: 500 });
    await expect(wrong('http://user:secret@localhost')).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.not.stringContaining('secret'),
    });
    await expect(wrong('esdb://127.0.0.1:1?tls=false')).rejects.toThrow(LedgerUnavailable);
  });

  it('batches of the client itself are served by the double', async () => {
    await behindOurBack(async (client) => {
      const event = (n: number) => ({
        id: randomUUID(),
        type: 'Batched',
        contentType: 'application/json' as const,
        data: { n },
        metadata: undefined,
      });
      const first = [event(0), event(1)];
      const expected = { expectedRevision: 'no_stream' as const };
      const done = await client.appendToStream('batched', first, expected);
      expect(done).toMatchObject({ success: true, nextExpectedRevision: 1n });
      const again = client.appendToStream('batched', [event(2)], expected);
      await expect(again).rejects.toMatchObject({ type: 'wrong-expected-version' });
    });
  });
});
