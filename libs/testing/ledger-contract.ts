import {
  KcmError,
  LIMITS,
  oneOrMore,
  type CommandId,
  type EventData,
  type EventId,
  type EventMeta,
  type FeedItem,
  type NewEvent,
  type OneOrMore,
  type Position,
  type RecordedEvent,
  type StreamId,
} from '@kcm/kernel';
import {
  LedgerConflict,
  LedgerUnavailable,
  type FilteredFeed,
  type Ledger,
  type StreamPage,
} from '@kcm/ledger';
import * as fc from 'fast-check';
import { randomUUID } from 'node:crypto';

export type LedgerUnderTest = Ledger & Partial<FilteredFeed>;
/** One store that outlives its connections. */
export interface LedgerFixture {
  /** Opens the same store again after a `close`. */
  open(): Promise<LedgerUnderTest>;
  dispose(): Promise<void>;
}

const META: EventMeta = {
  commandId: 'c0ffee00-0000-5000-8000-000000000000' as CommandId,
  fingerprint: 'f'.repeat(64),
  tenant: 'acme',
  actor: 'sub-a',
  origin: 'local',
  term: 1,
  epoch: 0,
  occurredAt: '2026-01-02T03:04:05.678Z',
  correlationId: 'correlation',
  causationId: 'causation',
};
export const sampleEvent = (data: EventData = {}, id: string = randomUUID()): NewEvent => ({
  id: id as EventId,
  type: 'SomethingHappened',
  schemaVersion: 1,
  data,
  meta: META,
});
const several = (count: number): OneOrMore<NewEvent> =>
  Array.from({ length: count }, (_, n) => sampleEvent({ n })) as unknown as OneOrMore<NewEvent>;
const ids = (events: readonly NewEvent[]): string[] => events.map(({ id }) => id);
const tenant = (name: string): StreamId => `tenant-${name}` as StreamId;

async function eventsOf(ledger: Ledger, stream: StreamId): Promise<readonly RecordedEvent[]> {
  const page = await ledger.readStream(stream, 0, 1000);
  return page.kind === 'page' ? page.events : [];
}

/** Takes feed items until it has `count` events (or, with 0, until it has caught up). */
async function take(feed: AsyncIterable<FeedItem>, count: number): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const item of feed) {
    if (item.kind === 'events') events.push(...item.events);
    if (count === 0 ? item.kind === 'caughtUp' : events.length >= count) break;
  }
  return events;
}

/** What every adapter of the ledger port must do, whatever its engine. */
export function ledgerContract(name: string, make: () => Promise<LedgerFixture>): void {
  describe(`the ledger contract: ${name}`, () => {
    let fixture: LedgerFixture;
    let ledger: LedgerUnderTest;
    let abort: AbortController;
    const reopen = async (): Promise<void> => {
      await ledger.close();
      ledger = await fixture.open();
    };
    const feed = (after: Position | 'start' = 'start') => ledger.feed(after, abort.signal);

    beforeEach(async () => {
      fixture = await make();
      ledger = await fixture.open();
      abort = new AbortController();
    });
    afterEach(async () => {
      abort.abort();
      await ledger.close();
      await fixture.dispose();
    });

    describe('append', () => {
      it('has stored what it acknowledged: it is there after a reopen', async () => {
        const events = several(3);
        const appended = await ledger.append(tenant('a'), 'noStream', events);
        await reopen();
        const stored = await eventsOf(ledger, tenant('a'));
        expect(stored.map((event) => ({ ...event }))).toEqual(
          events.map((event, revision) => ({
            ...event,
            stream: tenant('a'),
            revision,
            position: stored[revision]!.position,
          })),
        );
        expect(appended).toEqual({
          revision: 2,
          position: stored[2]!.position,
          replayed: false,
        });
        expect(await ledger.head()).toBe(appended.position);
      });

      it.each([
        ['noStream on none', 0, 'noStream', 'stored'],
        ['noStream on a stream of 1', 1, 'noStream', 0],
        ['noStream on a stream of 3', 3, 'noStream', 2],
        ['0 on none', 0, 0, null],
        ['7 on none', 0, 7, null],
        ['0 on a stream of 1', 1, 0, 'stored'],
        ['0 on a stream of 3', 3, 0, 2],
        ['1 on a stream of 3', 3, 1, 2],
        ['2 on a stream of 3', 3, 2, 'stored'],
        ['3 on a stream of 3', 3, 3, 2],
        ['9 on a stream of 3', 3, 9, 2],
      ] as const)('expected revision: %s', async (_case, existing, expected, outcome) => {
        const stream = tenant('a');
        await ledger.append(tenant('other'), 'noStream', several(5));
        if (existing > 0) await ledger.append(stream, 'noStream', several(existing));
        const append = ledger.append(stream, expected, several(2));
        if (outcome === 'stored') {
          await expect(append).resolves.toMatchObject({ revision: existing + 1, replayed: false });
          expect(await eventsOf(ledger, stream)).toHaveLength(existing + 2);
        } else {
          await expect(append).rejects.toThrow(LedgerConflict);
          await expect(append).rejects.toMatchObject({ stream, expected, actual: outcome });
          expect(await eventsOf(ledger, stream)).toHaveLength(existing);
        }
      });

      it('answers a repeated append with the first result', async () => {
        const first = several(2);
        const second = several(3);
        const one = await ledger.append(tenant('a'), 'noStream', first);
        const two = await ledger.append(tenant('a'), 1, second);
        await ledger.append(tenant('a'), 4, several(1));
        expect(await ledger.append(tenant('a'), 'noStream', first)).toEqual({
          ...one,
          replayed: true,
        });
        await reopen();
        expect(await ledger.append(tenant('a'), 1, second)).toEqual({ ...two, replayed: true });
        expect(await eventsOf(ledger, tenant('a'))).toHaveLength(6);
      });

      it('stores one of two equal appends that arrive together', async () => {
        const events = several(2);
        const both = await Promise.all([
          ledger.append(tenant('a'), 'noStream', events),
          ledger.append(tenant('a'), 'noStream', events),
        ]);
        expect(both.filter(({ replayed }) => replayed)).toHaveLength(1);
        expect(both[0].position).toBe(both[1].position);
        expect(await eventsOf(ledger, tenant('a'))).toHaveLength(2);
      });

      it('refuses an append that overlaps a stored one only in part', async () => {
        const [a, b, c] = several(3) as unknown as [NewEvent, NewEvent, NewEvent];
        await ledger.append(tenant('a'), 'noStream', [a, b]);
        const tries: readonly OneOrMore<NewEvent>[] = [[a, b, c], [a, c], [c, b], [b, a], [b]];
        for (const events of tries)
          await expect(ledger.append(tenant('a'), 'noStream', events)).rejects.toMatchObject({
            code: 'revision_conflict',
            actual: 1,
          });
        await expect(ledger.append(tenant('a'), 1, [a, b])).resolves.toMatchObject({ revision: 3 });
      });

      it('lets one of many writers of a stream win each revision', async () => {
        const rounds = 5;
        for (let round = 0; round < rounds; round += 1) {
          const expected = round === 0 ? 'noStream' : round * 2 - 1;
          const settled = await Promise.allSettled(
            Array.from({ length: 8 }, () => ledger.append(tenant('a'), expected, several(2))),
          );
          const lost = settled.filter(({ status }) => status === 'rejected');
          expect(lost).toHaveLength(7);
          for (const one of lost)
            expect(one).toMatchObject({ reason: { actual: round * 2 + 1, expected } });
        }
        const stored = await eventsOf(ledger, tenant('a'));
        expect(stored.map(({ revision }) => revision)).toEqual(
          Array.from({ length: rounds * 2 }, (_, revision) => revision),
        );
      });

      it('keeps writers of many streams apart', async () => {
        const streams = Array.from({ length: 12 }, (_, n) => tenant(`t${n}`));
        await Promise.all(
          streams.map(async (stream) => {
            await ledger.append(stream, 'noStream', several(1));
            for (let revision = 0; revision < 4; revision += 1)
              await ledger.append(stream, revision, several(1));
          }),
        );
        for (const stream of streams) expect(await eventsOf(ledger, stream)).toHaveLength(5);
        const all = await take(feed(), 60);
        expect(new Set(ids(all)).size).toBe(60);
      });

      it('refuses what is too many, too large, or not I-JSON, and stores nothing of it', async () => {
        const stream = tenant('a');
        const large = 'x'.repeat(LIMITS.eventBytesMax);
        const tooLarge: readonly OneOrMore<NewEvent>[] = [
          several(LIMITS.eventsPerAppendMax + 1),
          [sampleEvent(), sampleEvent({ large })],
        ];
        for (const events of tooLarge)
          await expect(ledger.append(stream, 'noStream', events)).rejects.toMatchObject({
            code: 'payload_too_large',
          });
        const cycle: Record<string, unknown> = {};
        cycle['self'] = cycle;
        const twice = sampleEvent();
        const values: readonly unknown[] = [
          Number.NaN,
          Number.POSITIVE_INFINITY,
          '\ud800',
          Buffer.from('bytes'),
          new Date(0),
          10n,
          () => 1,
          new Map(),
          { '\udc00': 1 },
          'a \\ before \ud800',
          cycle,
        ];
        const wrong = values.map((value) => [sampleEvent({ value } as EventData)] as const);
        for (const events of [...wrong, [twice, twice] as const])
          await expect(ledger.append(stream, 'noStream', events)).rejects.toThrow(KcmError);
        for (const revision of [-1, 0.5, Number.NaN])
          await expect(ledger.append(stream, revision, several(1))).rejects.toThrow(KcmError);
        const nowhere = 'nowhere' as StreamId;
        await expect(ledger.append(nowhere, 'noStream', several(1))).rejects.toThrow(KcmError);
        expect(await ledger.readStream(stream, 0, 1)).toEqual({ kind: 'noStream' });
        expect(await ledger.head()).toBeNull();
      });

      it('holds an append of the largest size allowed', async () => {
        const events = several(LIMITS.eventsPerAppendMax);
        await ledger.append(tenant('a'), 'noStream', events);
        const room = LIMITS.eventBytesMax - JSON.stringify(META).length - '{"x":""}'.length;
        const full = sampleEvent({ x: 'x'.repeat(room) });
        await ledger.append(tenant('b'), 'noStream', [full]);
        expect(ids(await eventsOf(ledger, tenant('a')))).toEqual(ids(events));
        expect((await eventsOf(ledger, tenant('b')))[0]!.data).toEqual(full.data);
      });

      it('gives back text that only looks like an escaped surrogate', async () => {
        const value = ['\\ud800', '\\\\udc00', '\ud83d\udd11', '\u0000\u2028\n'];
        await ledger.append(tenant('a'), 'noStream', [sampleEvent({ value })]);
        expect((await eventsOf(ledger, tenant('a')))[0]!.data).toEqual({ value });
      });

      it('gives back any I-JSON value as it was', async () => {
        let streams = 0;
        const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' });
        await fc.assert(
          fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 4 }), async (values) => {
            streams += 1;
            const stream = tenant(`j${streams}`);
            const events = values.map((value) => sampleEvent({ value }));
            await ledger.append(stream, 'noStream', oneOrMore(events)!);
            const stored = await eventsOf(ledger, stream);
            expect(stored.map(({ data }) => JSON.stringify(data))).toEqual(
              events.map(({ data }) => JSON.stringify(data)),
            );
          }),
          { numRuns: 40 },
        );
      });
    });

    describe('readStream', () => {
      it('pages without gap or repetition and says where the end is', async () => {
        const events = several(10);
        await ledger.append(tenant('a'), 'noStream', events);
        const seen: string[] = [];
        for (let from = 0, end = false; !end;) {
          const page = await ledger.readStream(tenant('a'), from, 4);
          if (page.kind !== 'page') throw new Error('no page');
          expect(page.last).toBe(9);
          expect(page.events.map(({ revision }) => revision)).toEqual(
            page.events.map((_, index) => from + index),
          );
          seen.push(...ids(page.events));
          from += page.events.length;
          end = page.end;
        }
        expect(seen).toEqual(ids(events));
      });

      it('tells no stream from a stream read behind its end', async () => {
        await ledger.append(tenant('a'), 'noStream', several(2));
        expect(await ledger.readStream(tenant('none'), 0, 10)).toEqual({ kind: 'noStream' });
        const behind: StreamPage = { kind: 'page', events: [], last: 1, end: true };
        expect(await ledger.readStream(tenant('a'), 2, 10)).toEqual(behind);
      });

      it('does not confuse streams whose names begin alike', async () => {
        await ledger.append(tenant('a'), 'noStream', several(2));
        await ledger.append(tenant('a.b'), 'noStream', several(1));
        await ledger.append(tenant('A'), 'noStream', several(3));
        expect(await eventsOf(ledger, tenant('a'))).toHaveLength(2);
        expect(await eventsOf(ledger, tenant('A'))).toHaveLength(3);
      });
    });

    describe('feed', () => {
      it('gives history, says that it has caught up, and goes on live', async () => {
        const history = several(3);
        const live = several(2);
        await ledger.append(tenant('a'), 'noStream', history);
        const items: FeedItem[] = [];
        let appended: Promise<unknown> | null = null;
        for await (const item of feed()) {
          items.push(item);
          // Others' events at the same server may let it catch up more than once.
          if (item.kind === 'caughtUp') appended ??= ledger.append(tenant('a'), 2, live);
          const events = items.flatMap((one) => (one.kind === 'events' ? one.events : []));
          if (events.length === 5) break;
        }
        await appended;
        const events = items.flatMap((item) => (item.kind === 'events' ? item.events : []));
        expect(ids(events)).toEqual(ids([...history, ...live]));
        const caught = items.findIndex(({ kind }) => kind === 'caughtUp');
        expect(
          items.slice(0, caught).flatMap((item) => (item.kind === 'events' ? item.events : [])),
        ).toHaveLength(3);
      });

      it('starts behind the position it is given, wherever that is', async () => {
        await ledger.append(tenant('a'), 'noStream', several(4));
        await ledger.append(tenant('b'), 'noStream', several(3));
        const all = await take(feed(), 7);
        for (const [index, { position }] of all.entries())
          expect(ids(await take(feed(position), 0))).toEqual(ids(all.slice(index + 1)));
      });

      it('yields every event exactly once and in order while writers append', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 30 }),
            fc.integer({ min: 0, max: 20 }),
            fc.integer({ min: 0, max: 3 }),
            async (sizes, startAt, pauses) => {
              const after = (await ledger.head()) ?? 'start';
              const written: string[] = [];
              const total = sizes.reduce((sum, size) => sum + size, 0);
              const run = randomUUID().slice(0, 8);
              const writers = sizes.map(async (size, index) => {
                for (let turns = index % 7; turns > 0; turns -= 1)
                  await new Promise((resolve) => setImmediate(resolve));
                const events = several(size);
                await ledger.append(tenant(`${run}-${index}`), 'noStream', events);
                written.push(...ids(events));
              });
              for (let turns = startAt; turns > 0; turns -= 1)
                await new Promise((resolve) => setImmediate(resolve));
              const seen: RecordedEvent[] = [];
              for await (const item of feed(after)) {
                if (item.kind === 'events') seen.push(...item.events);
                if (seen.length >= total) break;
                for (let turns = pauses; turns > 0; turns -= 1)
                  await new Promise((resolve) => setImmediate(resolve));
              }
              await Promise.all(writers);
              expect(seen).toHaveLength(total);
              expect(ids(seen).sort()).toEqual(written.sort());
              const positions = seen.map(({ position }) => position);
              expect(positions).toEqual([...new Set(positions)].sort());
              expect(ids(await take(feed(after), total))).toEqual(ids(seen));
            },
          ),
          { numRuns: 25 },
        );
      });

      it('shows an event no later than its append resolves to a feed that starts then', async () => {
        for (let n = 0; n < 10; n += 1) {
          const { position } = await ledger.append(tenant(`n${n}`), 'noStream', several(1));
          const events = await take(feed(), n + 1);
          expect(events.at(-1)!.position).toBe(position);
        }
      });

      it('serves several readers at their own pace', async () => {
        const readers = [1, 2, 3].map(() => take(feed(), 40));
        for (let n = 0; n < 20; n += 1)
          await ledger.append(tenant(`n${n}`), 'noStream', several(2));
        const [first, ...others] = await Promise.all(readers);
        for (const other of others) expect(ids(other)).toEqual(ids(first!));
      });

      it('says when it falls behind and when it has caught up again', async () => {
        const kinds: string[] = [];
        let events = 0;
        let flooded = false;
        for await (const item of feed()) {
          // Others' events at the same server.
          if (item.kind !== 'passed') kinds.push(item.kind);
          if (item.kind === 'events') events += item.events.length;
          if (item.kind === 'caughtUp' && !flooded) {
            flooded = true;
            await Promise.all(
              Array.from({ length: 20 }, (_, n) =>
                ledger.append(tenant(`n${n}`), 'noStream', several(LIMITS.eventsPerAppendMax)),
              ),
            );
          } else if (item.kind === 'caughtUp' && events === 20 * LIMITS.eventsPerAppendMax) break;
        }
        expect(kinds[0]).toBe('caughtUp');
        expect(kinds.at(-1)).toBe('caughtUp');
        expect(kinds.filter((kind) => kind === 'fellBehind')).toHaveLength(1);
      });

      it('ends on abort: asleep, between items and before it began', async () => {
        await ledger.append(tenant('a'), 'noStream', several(1));
        const asleep = new AbortController();
        const drained = (async () => {
          for await (const item of ledger.feed('start', asleep.signal))
            if (item.kind === 'caughtUp') setImmediate(() => asleep.abort());
          return 'ended';
        })();
        await expect(drained).resolves.toBe('ended');
        const between = new AbortController();
        const seen: string[] = [];
        for await (const item of ledger.feed('start', between.signal)) {
          seen.push(item.kind);
          between.abort();
        }
        expect(seen).toHaveLength(1);
        for await (const _ of ledger.feed('start', AbortSignal.abort())) seen.push('late');
        expect(seen).toHaveLength(1);
      });

      it('refuses a position that no ledger gave out', async () => {
        await ledger.append(tenant('a'), 'noStream', several(1));
        for (const position of ['', 'start ', '1; DROP TABLE events', '\u0000'])
          await expect(take(feed(position as Position), 0)).rejects.toThrow(KcmError);
      });
    });

    describe('feedOf', () => {
      it('yields its categories only and moves past the others', async () => {
        if (ledger.feedOf === undefined) return;
        const wanted: string[] = [];
        for (let n = 0; n < 6; n += 1) {
          const events = several(2);
          await ledger.append(`key-acme.k${n}` as StreamId, 'noStream', events);
          wanted.push(...ids(events));
          await ledger.append(`calls-local.b${n}` as StreamId, 'noStream', several(3));
        }
        const { position } = await ledger.append(
          'refused-local.b' as StreamId,
          'noStream',
          several(1),
        );
        const seen: string[] = [];
        let passed: Position | null = null;
        for await (const item of ledger.feedOf(['key', 'tenant'], 'start', abort.signal)) {
          if (item.kind === 'events') seen.push(...ids(item.events));
          if (item.kind === 'passed') passed = item.position;
          if (item.kind === 'caughtUp') break;
        }
        expect(seen).toEqual(wanted);
        expect(passed).toBe(position);
        const later = several(1);
        await ledger.append(tenant('a'), 'noStream', later);
        const rest = await take(ledger.feedOf(['key', 'tenant'], position, abort.signal), 1);
        expect(ids(rest)).toEqual(ids(later));
      });
    });

    it('keeps its id, and another store has another', async () => {
      const { id } = ledger;
      await reopen();
      expect(ledger.id).toBe(id);
      const other = await make();
      const second = await other.open();
      expect(second.id).not.toBe(id);
      await second.close();
      await other.dispose();
    });

    it('gives positions that sort as text, also over a reopen', async () => {
      const positions: string[] = [];
      for (let n = 0; n < 12; n += 1) {
        positions.push((await ledger.append(tenant(`n${n}`), 'noStream', several(1))).position);
        if (n === 5) await reopen();
      }
      expect(positions.toSorted()).toEqual(positions);
      expect(new Set(positions.map(({ length }) => length)).size).toBe(1);
    });

    it('refuses every call once it is closed, and wakes its feeds to say so', async () => {
      await ledger.append(tenant('a'), 'noStream', several(1));
      const closed = fixture;
      const reader = take(feed(), 2);
      // Asleep by then: history has been read.
      await take(feed(), 0);
      await ledger.close();
      await expect(reader).rejects.toThrow(LedgerUnavailable);
      const calls = [
        ledger.append(tenant('b'), 'noStream', several(1)),
        ledger.readStream(tenant('a'), 0, 1),
        ledger.head(),
        take(feed(), 0),
      ];
      for (const call of calls) await expect(call).rejects.toThrow(LedgerUnavailable);
      await ledger.close();
      ledger = await closed.open();
      expect(await eventsOf(ledger, tenant('a'))).toHaveLength(1);
    });
  });
}
