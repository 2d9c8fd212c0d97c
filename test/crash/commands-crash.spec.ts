import { setTimeout as sleep } from 'node:timers/promises';
import { FIGURES } from '@kcm/testing/figures';
import { Customer } from '../support/customer.js';
import { say, Seeded, seedOf } from '../support/seeded.js';
import { removeFolder, scratchFolder } from '../support/server.js';
import { eventsOf, faultsOf } from './ledger-audit.js';
import { MortalServer } from './mortal-server.js';
import { standingItems } from './standing-items.js';
import { type Caller, StubbornClient } from './stubborn-client.js';
import { tenantFaults } from './tenant-faults.js';
import { TenantLife } from './tenant-life.js';

const WRITERS = 50;

/** One writer: tenant after tenant, until it is told to stop between two steps. */
class Writer {
  readonly client: StubbornClient;
  readonly lives: TenantLife[] = [];

  constructor(
    readonly number: number,
    private readonly world: { readonly mortal: MortalServer; readonly customer: Customer },
    private readonly draw: Seeded,
    private readonly operator: Caller,
  ) {
    this.client = new StubbornClient(world.mortal, `w${number}`);
  }

  async write(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const id = `w${this.number}-${this.lives.length}`;
      const { customer } = this.world;
      const life = new TenantLife(id, this.client, customer, this.draw, this.operator);
      this.lives.push(life);
      for await (const _ of life.steps()) if (signal.aborted) break;
    }
  }
}

describe(`fifty writers over HTTP, and ${FIGURES.commandKills} kills -9 of the whole product`, () => {
  const seed = seedOf();
  const draw = new Seeded(seed);
  let folder: string;
  let customer: Customer;
  let mortal: MortalServer;
  let writers: Writer[];
  const stop = new AbortController();

  beforeAll(async () => {
    say(`seed ${seed}`);
    folder = scratchFolder('crash');
    customer = await Customer.open(`${folder}/bank`);
    mortal = new MortalServer(folder);
    await mortal.start();
    const operator = { token: mortal.server.operatorToken, subject: 'operator', tenant: null };
    writers = Array.from(
      { length: WRITERS },
      (_, number) => new Writer(number, { mortal, customer }, draw.fork(), operator),
    );
  }, 60_000);
  afterAll(async () => {
    await mortal.server.kill();
    await customer.close();
    removeFolder(folder);
  });

  const dataDir = () => mortal.server.dataDir;
  const acknowledged = () => writers.flatMap(({ client }) => client.acknowledged);

  it('go on through every kill, and no command is refused because it was repeated', async () => {
    const writing = Promise.all(writers.map((writer) => writer.write(stop.signal)));
    const failed = new AbortController();
    writing.catch(() => failed.abort());
    for (let kill = 0; kill < FIGURES.commandKills && !failed.signal.aborted; kill += 1) {
      // Far enough to have been at work, however busy the machine is; then at any moment.
      const enough = acknowledged().length + draw.between(1, WRITERS);
      while (acknowledged().length < enough && !failed.signal.aborted) await sleep(5);
      await sleep(draw.between(0, 500));
      await mortal.kill();
      // One in five is killed again before it answers.
      if (draw.fraction() < 0.2) {
        await mortal.killWhileStarting(draw.between(100, 1_500));
        kill += 1;
      }
      await mortal.start();
    }
    stop.abort();
    await writing;
    const repeated = writers.reduce((sum, { client }) => sum + client.repeated, 0);
    say(`${acknowledged().length} commands acknowledged, ${repeated} tries repeated`);
    say(mortal.restarts);
    expect(writers.filter(({ client }) => client.acknowledged.length === 0)).toEqual([]);
    expect(repeated).toBeGreaterThan(FIGURES.commandKills);
  }, 1_800_000);

  it('every resource comes to what was acknowledged, and every operation ends', async () => {
    const faults = await Promise.all(
      writers.map(({ client, lives }) => tenantFaults(client, lives)),
    );
    expect(faults.flat()).toEqual([]);
  }, 120_000);

  it('each read model rebuilt equals the live one', async () => {
    const { items } = await mortal.server.must<{ items: { name: string; documents: number }[] }>(
      'GET',
      '/v1/sys/projections',
    );
    const rebuilt = [];
    for (const { name } of items) {
      const path = `/v1/sys/projections/${name}/rebuild`;
      rebuilt.push(await mortal.server.must<{ equal: boolean }>('POST', path, { body: {} }));
    }
    expect(rebuilt.length).toBeGreaterThan(5);
    expect(rebuilt.filter(({ equal }) => !equal)).toEqual([]);
  }, 120_000);

  it('nothing stands on a list for ever, and the ledger holds each command once and whole', async () => {
    await mortal.stop();
    // What the last commands set going may still have been at work.
    for (let look = 0; look < 3 && (await standingItems(dataDir())).length > 0; look += 1) {
      await mortal.start();
      await sleep(3_000);
      await mortal.stop();
    }
    expect(await standingItems(dataDir())).toEqual([]);
    const events = await eventsOf(dataDir());
    say(`${events.length} events`);
    expect(faultsOf(events, acknowledged())).toEqual([]);
  }, 120_000);
});
