import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedEvent } from '@kcm/kernel';
import { FIGURES } from '@kcm/testing/figures';
import { say, Seeded, seedOf } from '../support/seeded.js';
import { removeFolder, scratchFolder } from '../support/server.js';
import { eventsOf } from './ledger-audit.js';
import { MortalServer } from './mortal-server.js';

/** Starts of the whole product on damaged files; the other damages are read by the ledger alone. */
const STARTS = 4;

describe('a damaged ledger', () => {
  const seed = seedOf();
  const draw = new Seeded(seed);
  let folder: string;
  /** Data folders as a kill and as a clean stop left them. */
  let killed: string;
  let stopped: string;
  let whole: readonly RecordedEvent[];
  let tries = 0;

  /** A copy of a data folder, with one change made to it. */
  const damaged = (from: string, change: (dataDir: string) => void): MortalServer => {
    tries += 1;
    const mortal = new MortalServer(join(folder, `try-${tries}`));
    cpSync(from, mortal.server.dataDir, { recursive: true });
    change(mortal.server.dataDir);
    return mortal;
  };
  /** Why it did not start; null when it did. */
  const refusal = async (mortal: MortalServer): Promise<string | null> => {
    try {
      await mortal.start();
      return null;
    } catch {
      return mortal.server.tail();
    }
  };
  const register = (mortal: MortalServer, id: string) =>
    mortal.server.must('POST', '/v1/tenants', { body: { id, name: id } });
  const tenants = async (mortal: MortalServer): Promise<readonly string[]> => {
    const list = await mortal.server.must<{ items: { id: string }[] }>('GET', '/v1/tenants');
    return list.items.map(({ id }) => id);
  };
  const registered = (events: readonly RecordedEvent[]): string[] =>
    events
      .filter(({ type }) => type === 'TenantRegistered')
      .map(({ meta }) => meta.tenant!)
      .toSorted();

  beforeAll(async () => {
    say(`seed ${seed}`);
    folder = scratchFolder('damage');
    const mortal = new MortalServer(join(folder, 'base'));
    await mortal.start();
    for (const id of ['acme', 'globex']) await register(mortal, id);
    await mortal.stop();
    stopped = join(folder, 'stopped');
    cpSync(mortal.server.dataDir, stopped, { recursive: true });
    await mortal.start();
    for (const id of ['initech', 'umbrella', 'hooli', 'wonka']) await register(mortal, id);
    await mortal.kill();
    killed = join(folder, 'killed');
    cpSync(mortal.server.dataDir, killed, { recursive: true });
    whole = await eventsOf(mortal.server.dataDir);
  }, 60_000);
  afterAll(() => removeFolder(folder));

  const forget = (mortal: MortalServer, store: string): void => {
    for (const suffix of ['', '-wal', '-shm'])
      rmSync(join(mortal.server.dataDir, `${store}.db${suffix}`), { force: true });
  };
  const logSize = () => readFileSync(join(killed, 'ledger.db-wal')).length;
  const cutTo = (bytes: number) => (dataDir: string) =>
    truncateSync(join(dataDir, 'ledger.db-wal'), bytes);

  it('whose log was cut anywhere holds its first events, whole and unchanged', async () => {
    const size = logSize();
    expect(size).toBeGreaterThan(10_000);
    const lengths = new Set<number>();
    for (let cut = 0; cut < FIGURES.logCuts; cut += 1) {
      const bytes = cut === 0 ? 0 : cut === 1 ? size - 1 : draw.between(1, size);
      const events = await eventsOf(damaged(killed, cutTo(bytes)).server.dataDir);
      expect(events).toEqual(whole.slice(0, events.length));
      lengths.add(events.length);
    }
    expect(lengths.size).toBeGreaterThan(2);
  }, 120_000);

  it('that has lost events is refused by name, and serves what it has once told to', async () => {
    const mortal = damaged(killed, cutTo(Math.floor(logSize() / 2)));
    expect(await refusal(mortal)).toMatch(
      /OpenKCM did not start\. The ledger ends at .*: events are missing/,
    );
    forget(mortal, 'read-models');
    // The log was built from them too, and whoever kept a checkpoint of it will find out.
    expect(await refusal(mortal)).toMatch(/transparency log was built .*: events are missing/);
    forget(mortal, 'log');
    await mortal.start();
    const left = await tenants(mortal);
    await register(mortal, 'fresh');
    await mortal.stop();
    const events = await eventsOf(mortal.server.dataDir);
    expect(registered(events)).toEqual([...left, 'fresh'].toSorted());
    expect(left.length).toBeLessThan(registered(whole).length);
  }, 60_000);

  it('that lost nothing but the end of a write serves as before', async () => {
    const torn = (dataDir: string) => {
      const path = join(dataDir, 'ledger.db-wal');
      // A frame that a killed process had begun to write.
      writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1_500, 0x5a)]));
    };
    const mortal = damaged(killed, torn);
    await mortal.start();
    expect(await tenants(mortal)).toEqual(registered(whole));
    await mortal.stop();
  }, 60_000);

  const flip = (at: number) => (dataDir: string) => {
    const path = join(dataDir, 'ledger.db');
    const bytes = readFileSync(path);
    bytes[at]! ^= 1 << draw.between(0, 7);
    writeFileSync(path, bytes);
  };

  it('with a flipped byte is refused, or the byte was nobody’s: no changed event is ever read', async () => {
    const before = await eventsOf(damaged(stopped, () => {}).server.dataDir);
    const size = readFileSync(join(stopped, 'ledger.db')).length;
    let refused = 0;
    for (let n = 0; n < FIGURES.flippedBytes; n += 1) {
      const { dataDir } = damaged(stopped, flip(draw.between(0, size - 1))).server;
      try {
        expect(await eventsOf(dataDir)).toEqual(before);
      } catch (error) {
        refused += 1;
        expect(error).toMatchObject({ code: 'integrity' });
      }
    }
    say(`${FIGURES.flippedBytes} bytes flipped, ${refused} refused`);
    expect(refused).toBeGreaterThan(0);
  }, 120_000);

  it.each([
    ['vault', /vault\.db: .* Put the last backup of it back/s],
    ['directory', /directory\.db: .* Put the last backup of it back/s],
    ['read-models', /read-models\.db: .* Delete read-models\.db with its -wal and -shm/s],
    ['log', /log\.db: .* Delete log\.db with its -wal and -shm/s],
  ])(
    'is not the only file that is checked: a damaged %s.db is named, with what to do',
    async (store, said) => {
      const mortal = damaged(stopped, (dataDir) => {
        const path = join(dataDir, `${store}.db`);
        const bytes = readFileSync(path);
        // Type and cell count of the second page.
        bytes.fill(0xff, 4096, 4101);
        writeFileSync(path, bytes);
      });
      expect(await refusal(mortal)).toMatch(said);
      if (store !== 'read-models' && store !== 'log') return;
      forget(mortal, store);
      await mortal.start();
      expect(await tenants(mortal)).toEqual(['acme', 'globex']);
      await mortal.stop();
    },
    60_000,
  );

  it('starts with a damaged erasure.db, which the other copy stands in for, and names it', async () => {
    const mortal = damaged(stopped, (dataDir) => {
      const path = join(dataDir, 'erasure.db');
      const bytes = readFileSync(path);
      bytes.fill(0xff, 4096, 4101);
      writeFileSync(path, bytes);
    });
    await mortal.start();
    const { body } = await mortal.server.ask('GET', '/readyz');
    expect(body['reasons']).toContainEqual(
      expect.objectContaining({
        code: 'copy_away',
        detail: expect.stringMatching(/erasure\.db is away: .*damaged/) as string,
      }),
    );
    await mortal.stop();
  }, 60_000);

  it('with a flipped byte inside an event does not start, and says which event it is', async () => {
    const bytes = readFileSync(join(stopped, 'ledger.db'));
    const places: number[] = [];
    for (
      let at = bytes.indexOf('"homeRegion"');
      at >= 0;
      at = bytes.indexOf('"homeRegion"', at + 1)
    )
      places.push(at);
    // A page that was split leaves bytes behind that are nobody's: only those of an event count.
    const theirs: number[] = [];
    for (const at of places) {
      const { server } = damaged(stopped, flip(at + 3));
      if ((await eventsOf(server.dataDir).catch(() => null)) === null) theirs.push(at);
    }
    expect(theirs.length).toBeGreaterThan(1);
    for (const at of theirs.slice(0, STARTS)) {
      const mortal = damaged(stopped, flip(at + 3));
      expect(await refusal(mortal)).toMatch(
        /OpenKCM did not start\. .*The event 0 of tenant-(acme|globex) at \d+ is damaged/s,
      );
    }
  }, 60_000);
});
