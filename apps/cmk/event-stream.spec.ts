import { LIMITS, type Position } from '@kcm/kernel';
import { acmeStory, foldProjection, settled, SimulatedTime } from '@kcm/testing';
import { type EventDoc, events } from '@projections/events';
import { EventStream } from './event-stream.js';

const DOCS = Object.values(foldProjection(events, acmeStory().events)).filter(
  (doc): doc is EventDoc => doc?.tenant === 'acme',
);
const PAGE = 3;

class World {
  readonly time = new SimulatedTime();
  reads = 0;
  text = '';
  closed = false;
  whileReading = (): void => {};
  readonly stream: EventStream;

  constructor(
    public known: readonly EventDoc[] = DOCS,
    after: EventDoc | null = null,
    expiresInMs: number | null = null,
  ) {
    const scheduler = { after: this.time.after };
    const read = async (last: EventDoc | null) => {
      this.reads += 1;
      const next = this.known.filter(({ position }) => last === null || position > last.position);
      this.whileReading();
      return next.slice(0, PAGE);
    };
    const expiresAtMs = expiresInMs === null ? null : this.time.wallMs() + expiresInMs;
    this.stream = new EventStream({ clock: this.time, scheduler, read }, after, expiresAtMs);
    this.stream.once('close', () => (this.closed = true));
  }

  /** Takes all that comes, from now on. */
  reading(): this {
    this.stream.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    return this;
  }
  async ids(): Promise<readonly string[]> {
    for (let turn = 0; turn < DOCS.length; turn += 1) await settled();
    return [...this.text.matchAll(/^id: (.+)\ndata: /gm)].map(([, id]) => id!);
  }
}
const LARGE = DOCS.map((doc) => ({ ...doc, data: { note: 'x'.repeat(4_096) } }));
const idsOf = (docs: readonly EventDoc[]) => docs.map(({ id }) => id as string);

describe('An event stream', () => {
  it('sends all events once, in order, page by page, and what comes later when it is woken', async () => {
    const [early, late] = [DOCS.slice(0, 10), DOCS.slice(10)];
    expect(late.length).toBeGreaterThan(PAGE);
    const world = new World(early).reading();
    expect(await world.ids()).toEqual(idsOf(early));
    world.known = DOCS;
    expect(await world.ids()).toEqual(idsOf(early));
    world.stream.wake();
    expect(await world.ids()).toEqual(idsOf(DOCS));
    world.stream.destroy();
  });

  it('tells where it starts before anything happens, so that a lost connection loses nothing', async () => {
    const last = DOCS[4]!;
    const world = new World(DOCS.slice(0, 5), last).reading();
    expect(await world.ids()).toEqual([]);
    expect(world.text).toBe(`retry: 1000\nid: ${last.id}\n\n`);
    world.known = DOCS;
    world.stream.wake();
    expect(await world.ids()).toEqual(idsOf(DOCS.slice(5)));
    world.stream.destroy();
  });

  it('misses no wake-up that comes while it reads', async () => {
    const world = new World([]);
    world.whileReading = () => {
      world.known = DOCS.slice(0, 1);
      world.stream.wake();
      world.whileReading = () => {};
    };
    world.reading();
    expect(await world.ids()).toEqual(idsOf(DOCS.slice(0, 1)));
    world.stream.destroy();
  });

  it('holds one page and a buffer for a reader that does not read, and lets go of it', async () => {
    const world = new World(LARGE);
    world.stream.once('readable', () => undefined);
    await world.ids();
    const { readableLength, readableHighWaterMark } = world.stream;
    expect(readableLength).toBeLessThan(readableHighWaterMark + 8_192);
    const asked = world.reads;
    await world.time.advance(LIMITS.eventStreamStallMsMax - 1);
    expect([world.closed, world.reads]).toEqual([false, asked]);
    await world.time.advance(1);
    expect(world.closed).toBe(true);
  });

  it('says that it is there when nothing happens', async () => {
    const world = new World([]).reading();
    await world.ids();
    await world.time.advance(LIMITS.eventStreamHeartbeatMs);
    expect(world.text).toBe('retry: 1000\n\n: nothing new\n\n');
    world.stream.destroy();
    await settled();
    expect(world.closed).toBe(true);
  });

  it('ends with the token, and soon where the wall clock is set forward past its end', async () => {
    const world = new World(DOCS, null, 90_000).reading();
    await world.time.advance(89_000);
    expect(world.closed).toBe(false);
    world.known = [...DOCS, { ...DOCS[0]!, position: '9999999999999999' as Position }];
    await world.time.advance(1_000);
    world.stream.wake();
    expect(await world.ids()).toEqual(idsOf(DOCS));
    expect(world.text).toMatch(/: the token has ended\n\n$/);
    expect(world.closed).toBe(true);

    const moved = new World(DOCS, null, 3_600_000).reading();
    moved.time.jumpWall(3_600_000);
    await moved.time.advance(60_000);
    expect(moved.closed).toBe(true);
  });

  it('ends at once when it is ended, events that wait or not, and cuts who does not take it', async () => {
    const world = new World(DOCS).reading();
    world.stream.end('the region is sealed');
    expect(await world.ids()).toEqual([]);
    expect(world.text).toMatch(/: the region is sealed\n\n$/);
    expect(world.closed).toBe(true);

    const stalled = new World(LARGE);
    stalled.stream.once('readable', () => undefined);
    await stalled.ids();
    stalled.stream.end('the server stops');
    await stalled.time.advance(LIMITS.eventStreamEndMsMax);
    expect(stalled.closed).toBe(true);
  });
});
