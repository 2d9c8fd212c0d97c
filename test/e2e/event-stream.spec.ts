import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { LIMITS } from '@kcm/kernel';
import { type CloudEvent, EventFeed, type FedEvent } from '../support/event-feed.js';
import {
  type Api,
  EdgeProcess,
  type Ended,
  Keystore,
  onboard,
  Region,
  type RevocationView,
  runToEnd,
  Stage,
  type Tenant,
  until,
  Workload,
} from '../support/index.js';
import { say, Seeded, seedOf } from '../support/seeded.js';

jest.setTimeout(90_000);

const EVENTS = 500;
const isPolicy = ({ type }: CloudEvent) => type === 'io.openkcm.TenantPolicyChanged.v1';

describe('The event stream', () => {
  const stage = new Stage();
  const feeds: EventFeed[] = [];
  let region: Region;
  let admin: Api;
  let auditor: string;
  let fanOut: Promise<FanOut>;

  const feedOf = (tenant: string, token: string): EventFeed => {
    const feed = new EventFeed(() => region.server.url, `/v1/tenants/${tenant}/events`, token);
    feeds.push(feed);
    return feed;
  };
  /** Each an event of its own. */
  const change = async (n: number): Promise<void> => {
    const body = { leaseSeconds: 20 + (n % 100) };
    const { code } = await admin.call('PUT', '/v1/tenants/acme/policy', body);
    expect(code).toBeNull();
  };

  interface FanOut {
    readonly tenant: Tenant;
    readonly taken: RevocationView;
    readonly heard: FedEvent;
    readonly view: RevocationView;
    readonly watched: Ended;
  }
  /** A kill while one holder listens and one is cut off; each who looks on sees it live. */
  const playFanOut = async (): Promise<FanOut> => {
    const keystore = await Keystore.start(stage);
    const tenant = await onboard(region, keystore, 'bank');
    const [listens, cutOff] = await Promise.all([
      EdgeProcess.start(stage, region, 'edge-1', ['billing']),
      EdgeProcess.start(stage, region, 'edge-2', ['billing']),
    ]);
    for (const edge of [listens, cutOff]) {
      const client = edge.client('billing');
      await new Workload(stage, client, await client.sample('bank', 'a record')).untilServed(9_000);
    }
    const feed = feedOf('bank', await region.server.tokenFor('bank', ['auditor'], 'ada'));
    expect(await feed.connect()).toBe(200);
    cutOff.wire.cut();
    const reason = { code: 'incident' };
    const body = { kind: 'kill', scope: { all: true }, reason };
    const taken = await tenant.anna.command<RevocationView>(`${tenant.path}/revocations`, body);
    const token = await region.server.tokenFor('bank', ['tenant-admin'], 'anna');
    const watching = runToEnd('cli', ['revocation', 'watch', taken.id, '--tenant', 'bank'], {
      KCM_DATA_DIR: region.data,
      KCM_TOKEN: token,
    });
    const heard = await feed.until('the acknowledgement', ({ type, data }) => {
      return type === 'io.openkcm.RevocationAcknowledged.v1' && data['holder'] === 'edge:edge-1';
    });
    const path = `${tenant.path}/revocations/${taken.id}`;
    const view = await until('the holder in the view', 5_000, async () => {
      const now = await tenant.auditor.read<RevocationView>(path);
      return now.holders.some(({ refusedAt }) => refusedAt !== null) ? now : null;
    });
    return { tenant, taken, heard, view, watched: await watching };
  };

  beforeAll(async () => {
    region = await new Region(stage).start();
    fanOut = playFanOut();
    fanOut.catch(() => undefined);
    await region.operator.command('/v1/tenants', { id: 'acme', name: 'Acme' });
    admin = await region.person('acme', 'anna', 'tenant-admin');
    auditor = await region.server.tokenFor('acme', ['auditor'], 'ada');
  });
  afterAll(async () => {
    for (const feed of feeds) feed.cut();
    await stage.close();
  });

  it(`${EVENTS} events, reconnects at random points: each once, in order`, async () => {
    const seed = seedOf();
    say(`KCM_TEST_SEED=${seed}`);
    const draws = new Seeded(seed);
    const feed = feedOf('acme', auditor);
    let written = 0;
    const writing = (async () => {
      for (; written < EVENTS; written += 1) {
        await change(written);
        if (written % 200 !== 100) continue;
        // Where it is read from may be built anew meanwhile.
        await region.operator.command('/v1/sys/projections/events/rebuild');
      }
    })();
    const changes = () => feed.events.filter(({ event }) => isPolicy(event));
    let connections = 0;
    for (; changes().length < EVENTS; connections += 1) {
      expect(await feed.connect(connections === 0 ? '?from=start' : '')).toBe(200);
      const enough = Math.min(changes().length + draws.between(0, 40), EVENTS);
      await until('more events', 20_000, () => (changes().length >= enough ? true : null));
      await sleep(draws.between(0, 10));
      feed.cut();
    }
    await writing;
    expect(connections).toBeGreaterThan(10);
    const leases = changes().map(({ event }) => event.data['policy'] as { leaseSeconds: number });
    expect(leases.map(({ leaseSeconds }) => leaseSeconds)).toEqual(
      Array.from({ length: EVENTS }, (_, n) => 20 + (n % 100)),
    );
    const ids = feed.events.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
    expect(ids).toEqual(feed.events.map(({ event }) => event.id));
    const ofTenant = feed.events.filter(({ event }) => event.subject === 'tenant-acme');
    expect(ofTenant.map(({ event }) => event.kcmrevision)).toEqual(ofTenant.map((_, at) => at));

    const { event } = feed.events.at(-1)!;
    const path = `/v1/tenants/acme/events/${event.id}`;
    expect(await region.as(auditor).read(path)).toEqual(event);
    expect(event).toMatchObject({
      specversion: '1.0',
      source: 'kcm://local',
      subject: 'tenant-acme',
      kcmtenant: 'acme',
      correlationid: expect.any(String),
    });
  });

  it('a kill is seen live: who has acknowledged, who is silent until when', async () => {
    const { taken, heard, view, watched } = await fanOut;
    expect(heard.event.subject).toBe(`revocation-bank.${taken.id}`);
    say(`acknowledged, and seen after ${heard.at - Date.parse(heard.event.time)} ms`);
    const holders = new Map(view.holders.map((each) => [each.id, each]));
    const { refusedAt } = heard.event.data as { refusedAt: string };
    expect(holders.get('edge:edge-1')).toMatchObject({ refusedAt });
    const quiet = holders.get('edge:edge-2')!;
    expect(quiet).toMatchObject({ refusedAt: null, erasedAt: null });

    expect({ code: watched.code, stderr: watched.stderr }).toEqual({ code: 0, stderr: '' });
    expect(watched.stdout.split('\n')).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`edge:edge-1  refused ${refusedAt}`),
        `edge:edge-2  silent; its last grant ends ${quiet.lastGrantEnds}`,
        `edge:edge-2  silent; its last grant ended ${quiet.lastGrantEnds}`,
        expect.stringMatching(/^settled \(locked\): 1 refused, 1 silent/),
      ]),
    );
  });

  it('kcm events tail goes on over a restart of the server, and loses and repeats nothing', async () => {
    const env = { KCM_DATA_DIR: region.data, KCM_TOKEN: auditor };
    const tail = stage.start('tail', 'cli', env, ['--json', 'events', 'tail', '--tenant', 'acme']);
    const lines = () => {
      const text = readFileSync(join(stage.folder, 'logs', 'tail.log'), 'utf8');
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as CloudEvent);
    };
    const feed = feedOf('acme', auditor);
    expect(await feed.connect()).toBe(200);
    let n = 0;
    await tail.until('its first line', async () => {
      await change((n += 1));
      return lines().length > 0 ? true : null;
    });
    await fanOut;
    await region.stop();
    await feed.ended();
    expect(feed.comments.at(-1)).toBe('the server stops');
    await region.start();
    for (let more = 0; more < 20; more += 1) await change((n += 1));
    expect(await feed.connect()).toBe(200);
    await until('the last one', 15_000, () =>
      lines().at(-1)?.id === feed.events.at(-1)?.event.id && feed.events.length >= n ? true : null,
    );
    const mine = lines();
    const first = feed.events.findIndex(({ event }) => event.id === mine[0]!.id);
    expect(mine).toEqual(feed.events.slice(first).map(({ event }) => event));
    await tail.stop();
  });

  it('is limited for one and for a tenant, and a reader that is cut gives its place back', async () => {
    for (const feed of feeds) feed.cut();
    const others = await region.server.tokenFor('acme', ['auditor'], 'bert');
    const some = (of: number, token: string) =>
      Array.from({ length: of }, () => feedOf('acme', token));
    const own = LIMITS.eventStreamsPerPrincipalMax;
    const open = some(own, auditor);
    for (const feed of open)
      await until('a free place', 5_000, async () =>
        (await feed.connect()) === 200 ? true : null,
      );
    const one = feedOf('acme', auditor);
    expect(await one.connect()).toBe(429);
    for (const feed of some(LIMITS.eventStreamsMax - own, others)) {
      expect(await feed.connect()).toBe(200);
      open.push(feed);
    }
    const third = await region.server.tokenFor('acme', ['auditor'], 'carl');
    expect(await feedOf('acme', third).connect()).toBe(429);
    open[0]!.cut();
    await until('a free place', 5_000, async () => ((await one.connect()) === 200 ? true : null));
    for (const feed of [...open, one]) feed.cut();
  });

  it('ends with its token, and with the seal', async () => {
    const brief = feedOf('acme', await region.server.tokenFor('acme', ['auditor'], 'ada', 1));
    const long = feedOf('acme', auditor);
    for (const feed of [brief, long])
      await until('a free place', 5_000, async () =>
        (await feed.connect()) === 200 ? true : null,
      );
    await brief.ended();
    expect(brief.comments.at(-1)).toBe('the token has ended');
    expect([await brief.connect(), long.open]).toEqual([401, true]);
    await region.operator.command('/v1/sys/seal');
    await long.ended();
    expect(long.comments.at(-1)).toBe('the region is sealed');
    expect(await long.connect()).toBe(503);
  });
});
