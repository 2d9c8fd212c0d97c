import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordedEvent } from '@kcm/kernel';
import { FIGURES } from '@kcm/testing/figures';
import { Customer } from '../support/customer.js';
import { say, Seeded, seedOf } from '../support/seeded.js';
import { removeFolder, scratchFolder } from '../support/server.js';
import { type Ended, KeyedLife } from './keyed-life.js';
import { eventsOf, faultsOf } from './ledger-audit.js';
import { MortalServer } from './mortal-server.js';
import { StallingProxy } from './stalling-proxy.js';
import { standingItems } from './standing-items.js';
import { StubbornClient } from './stubborn-client.js';
import { StubbornWorkload } from './stubborn-workload.js';

/** Lives at a time. */
const LIVES = 4;
const ROTATIONS = 2;
const DENIALS = 2;

describe('a tenant from its root key to its shred', () => {
  const seed = seedOf();
  const draw = new Seeded(seed);
  let folder: string;
  let customer: Customer;
  let mortal: MortalServer;

  beforeAll(() => say(`seed ${seed}`));
  beforeEach(async () => {
    folder = scratchFolder('life');
    customer = await Customer.open(`${folder}/bank`);
    mortal = new MortalServer(folder);
  });
  afterEach(async () => {
    await mortal.server.kill();
    await customer.close();
    removeFolder(folder);
  });

  /** Once more if what the last answers set going was still at work. */
  const standing = async (): Promise<readonly string[]> => {
    await mortal.stop();
    const items = await standingItems(mortal.server.dataDir);
    if (items.length === 0) return items;
    await mortal.start();
    await sleep(3_000);
    await mortal.stop();
    return standingItems(mortal.server.dataDir);
  };

  it(`comes to its end over ${FIGURES.lifeKills} kills -9, and what was encrypted opens until then`, async () => {
    await mortal.start();
    const operator = { token: mortal.server.operatorToken, subject: 'operator', tenant: null };
    const client = new StubbornClient(mortal, 'life');
    const workload = new StubbornWorkload(mortal, 'default');
    const parties = { mortal, client, workload, customer, operator };
    const ended: Ended[] = [];
    const over = new AbortController();
    const lives = Promise.all(
      Array.from({ length: LIVES }, async (_, lane) => {
        for (let n = 0; !over.signal.aborted; n += 1)
          ended.push(await new KeyedLife(`t${lane}-${n}`, parties).live(ROTATIONS, DENIALS));
      }),
    );
    const failed = new AbortController();
    lives.catch(() => failed.abort());
    for (let kill = 0; kill < FIGURES.lifeKills && !failed.signal.aborted; kill += 1) {
      await sleep(draw.between(100, 1_500));
      await mortal.kill();
      await mortal.start();
    }
    over.abort();
    await lives;
    say(`${ended.length} lives, ${client.repeated} tries repeated; ${mortal.restarts}`);
    expect(await standing()).toEqual([]);
    const events = await eventsOf(mortal.server.dataDir);
    expect(faultsOf(events, client.acknowledged)).toEqual([]);
    expect(ended.map((each) => endOf(each, events))).toEqual(
      ended.map(({ tenant, before }) => ({
        tenant,
        recorded: before,
        left: { erasureKeys: 0, blobs: 0 },
        // One L2, the versions of the L3, the credentials; more where a kill cut an attempt short.
        enough: true,
      })),
    );
    const unknown = events.filter(({ type }) => type === 'KeystoreCallOutcomeUnknown').length;
    say(`${events.length} events, ${unknown} calls to a keystore closed as outcome unknown`);
  }, 1_800_000);

  it('a call that was under way when Core died is closed as of unknown outcome, and made again', async () => {
    await mortal.start();
    const { server } = mortal;
    const wire = await StallingProxy.open(customer.keystore.url);
    await server.must('POST', '/v1/tenants', { body: { id: 'acme', name: 'Acme' } });
    await server.must('POST', '/v1/tenants/acme/activate', { body: {} });
    const anna = await server.tokenFor('acme', ['key-admin', 'auditor']);
    const own = await customer.connection('acme');
    const held = wire.hold(/\/wrap$/);
    const path = '/v1/tenants/acme/root-keys';
    const reference = { url: wire.url, key: 'acme' };
    const prefer = { prefer: 'wait=0' };
    await server.must('POST', path, { token: anna, body: { ...own, reference }, headers: prefer });
    await held;
    await mortal.kill();
    wire.letGo();
    await mortal.start();
    const keys = `/v1/tenants/acme/keys`;
    await server.until('the tenant key', async () => {
      const { items } = await server.must<{ items: unknown[] }>('GET', keys, { token: anna });
      return items.length === 1;
    });
    const audit = '/v1/tenants/acme/audit?outcome=unknown';
    const { items } = await server.must<{ items: Record<string, unknown>[] }>('GET', audit, {
      token: anna,
    });
    await wire.close();
    expect(await standing()).toEqual([]);
    const events = await eventsOf(server.dataDir);
    expect(faultsOf(events, [])).toEqual([]);
    const unknown = events.filter(({ type }) => type === 'KeystoreCallOutcomeUnknown');
    expect(unknown).toHaveLength(1);
    expect(items.map(({ callId }) => callId)).toEqual(unknown.map(({ data }) => data['callId']));
  }, 60_000);
});

function endOf(
  { tenant, revocation, before, after, versions }: Ended,
  events: readonly RecordedEvent[],
) {
  const stream = `revocation-${tenant}.${revocation}`;
  const shredded = events.filter(
    (event) => event.stream === stream && event.type === 'MaterialShredded',
  );
  const [{ erasureKeys, blobs } = { erasureKeys: -1, blobs: -1 }] = shredded.map(
    ({ data }) => data as unknown as Ended['before'],
  );
  return {
    tenant,
    recorded: { erasureKeys, blobs },
    left: after,
    enough: before.erasureKeys === 1 && before.blobs >= 2 + versions && shredded.length === 1,
  };
}

describe('a first start', () => {
  it(`that is killed ${FIGURES.firstStartKills} times at any moment leaves a folder that the next one opens`, async () => {
    const seed = seedOf();
    say(`seed ${seed}`);
    const draw = new Seeded(seed);
    for (let kill = 0; kill < FIGURES.firstStartKills; kill += 1) {
      const folder = scratchFolder('first');
      const mortal = new MortalServer(folder);
      await mortal.killWhileStarting(draw.between(150, 1_300));
      await mortal.start();
      const body = { id: 'acme', name: 'Acme' };
      const { server } = mortal;
      expect((await server.must('POST', '/v1/tenants', { body }))['state']).toBe('registered');
      expect(await server.must('GET', '/v1/sys/status')).toMatchObject({ sealed: false });
      await mortal.stop();
      removeFolder(folder);
    }
  }, 300_000);
});
