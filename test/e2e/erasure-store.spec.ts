import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import type { HealthReport } from '@kcm/kernel';
import {
  type Api,
  Keystore,
  onboard,
  Region,
  Stage,
  type Tenant,
  until,
} from '../support/index.js';
import { removeFolder } from '../support/server.js';
import { receiptOf } from '../support/receipts.js';

jest.setTimeout(90_000);

/** A file system of its own on every Linux. */
const OTHER_DISK = '/dev/shm';
const kill = (who: Api, tenant: Tenant) =>
  who.command<{ id: string }>(`${tenant.path}/revocations`, {
    kind: 'kill',
    scope: { all: true },
    reason: { code: 'incident' },
  });

describe('The erasure store of a running region', () => {
  const stage = new Stage();
  /** Two places on a disk that neither ledger nor vault is on. */
  let disk: string;
  let region: Region;
  let keystore: Keystore;
  const place = (name: string) => join(disk, name, 'erasure.db');
  const ready = async () => (await region.as(null).get<HealthReport>('/readyz')).body;
  const reason = async (code: string) => (await ready()).reasons.find((each) => each.code === code);
  const settings = (): Record<string, string> => ({
    KCM_ERASURE: `sqlite:${place('one')},sqlite:${place('two')}`,
    KCM_ERASURE_BACKUPS: join(disk, 'backups'),
  });
  beforeAll(async () => {
    disk = mkdtempSync(join(OTHER_DISK, 'kcm-erasure-'));
    for (const name of ['one', 'two']) mkdirSync(join(disk, name), { mode: 0o700 });
    region = new Region(stage, { services: 'billing', env: settings() });
    [keystore] = await Promise.all([Keystore.start(stage), region.start()]);
  });
  afterAll(async () => {
    await stage.close();
    removeFolder(disk);
  });

  it('has two places and a backup, is ready, and names no file of them in the data folder', async () => {
    expect(statSync(disk).dev).not.toBe(statSync(region.data).dev);
    await until('ready', 10_000, async () => (await ready()).status === 'ready' || null);
    expect([place('one'), place('two')].map((file) => existsSync(file))).toEqual([true, true]);
    expect(existsSync(join(disk, 'backups'))).toBe(true);
    for (const name of ['erasure.db', 'erasure-copy', 'erasure-backups'])
      expect([name, existsSync(join(region.data, name))]).toEqual([name, false]);
  });

  it('confirms no shred while a copy is away, says so in red, and confirms it when it is back', async () => {
    const acme = await onboard(region, keystore, 'acme');
    const taken = await kill(acme.anna, acme);
    const path = `${acme.path}/revocations/${taken.id}`;
    const two = join(disk, 'two');
    renameSync(two, `${two}.away`);
    // The names of open files are looked up again after a second.
    await sleep(1_100);
    await acme.boris.post(`${path}/shred`, {}, { prefer: 'wait=0' });
    const away = await until('copy_away', 20_000, async () => (await reason('copy_away')) ?? null);
    expect(away).toMatchObject({ dependency: 'erasure-store', level: 'degraded' });
    expect(away.detail).toContain(place('two'));
    const doctor = await region.kcm('doctor', '--json');
    expect(doctor.code).toBe(1);
    expect(JSON.parse(doctor.stdout)).toContainEqual(
      expect.objectContaining({ level: 'wrong', part: 'erasure-store' }),
    );
    expect(await acme.auditor.read(path)).toMatchObject({ stage: 'locked' });
    // The wrapped keys go last.
    const vault = new DatabaseSync(join(region.data, 'vault.db'), { readOnly: true });
    const sql = "SELECT count(*) AS n FROM blobs WHERE key LIKE 'l2/acme/%'";
    expect(vault.prepare(sql).get()).toEqual({ n: 1 });
    vault.close();
    // A folder of that name is not made by itself: it would lie on another disk.
    expect(existsSync(two)).toBe(false);
    renameSync(`${two}.away`, two);
    await until('the shred', 30_000, async () => {
      const { stage: at } = await acme.auditor.read<{ stage: string }>(path);
      return at === 'shredded' || null;
    });
    const { said } = await receiptOf(acme, taken.id, 'shredded');
    // No backup was taken while there was a key of this tenant: nothing has to end first.
    expect(said.shred!.word).toBe('irreversible');
    expect(said.trialGrade).toContain('both copies of the erasure store on one disk');
    expect(await reason('copy_away')).toBeUndefined();
  });

  it('says until when its backups can bring a key back', async () => {
    const globex = await onboard(region, keystore, 'globex');
    await region.stop();
    rmSync(join(disk, 'backups'), { recursive: true });
    await region.start();
    const at = Date.now();
    const taken = await kill(globex.anna, globex);
    await globex.boris.command(`${globex.path}/revocations/${taken.id}/shred`);
    const { said } = await receiptOf(globex, taken.id, 'shredded');
    const [, until_] = /^irreversible after (.+)$/.exec(said.shred!.word) ?? [];
    const days = (Date.parse(until_!) - at) / (24 * 60 * 60_000);
    expect([days > 6.99, days < 7.01]).toEqual([true, true]);
  });

  it('lost in both places costs every tenant its keys: said in red; a backup that is put back undoes no shred', async () => {
    const initech = await onboard(region, keystore, 'initech');
    const sample = await region.edge('billing').sample('initech', 'a record');
    await region.stop();
    const lost = ['one', 'two'].map((name) => join(disk, name));
    for (const folder of lost) {
      cpSync(folder, `${folder}.kept`, { recursive: true });
      rmSync(folder, { recursive: true });
      mkdirSync(folder, { mode: 0o700 });
    }
    await region.start();
    const lacking = await reason('erasure_keys_missing');
    expect(lacking).toMatchObject({ level: 'degraded', detail: expect.stringMatching(/^1 of 1 /) });
    expect(lacking!.detail).toMatch(/nobody can decrypt/);
    const doctor = await region.kcm('doctor');
    expect([doctor.code, doctor.stdout]).toEqual([
      1,
      expect.stringMatching(/wrong.*erasure-store/),
    ]);
    const refused = await region.edge('billing').decrypt('initech', sample.ciphertext);
    expect(refused).toMatchObject({ status: 503, code: 'integrity' });
    await region.stop();
    // A backup is an erasure store. This one is of before globex was shredded.
    const [backup] = readdirSync(join(disk, 'backups')).filter((name) => name.endsWith('.db'));
    const holds = (file: string) => {
      const db = new DatabaseSync(file, { readOnly: true });
      const rows = db.prepare("SELECT key FROM blobs WHERE key LIKE 'tek/%'").all();
      db.close();
      return rows.map(({ key }) => key);
    };
    for (const folder of lost) {
      rmSync(join(folder, 'erasure.db'));
      copyFileSync(join(disk, 'backups', backup!), join(folder, 'erasure.db'));
      expect(holds(join(folder, 'erasure.db'))).toEqual(['tek/globex']);
    }
    await region.start();
    // What was destroyed after it was taken is destroyed again before anybody is served.
    for (const folder of lost) expect(holds(join(folder, 'erasure.db'))).toEqual([]);
    await region.stop();
    for (const folder of lost) rmSync(folder, { recursive: true });
    for (const folder of lost) renameSync(`${folder}.kept`, folder);
    await region.start();
    expect(await region.edge('billing').opens(sample)).toBe(true);
    expect(initech.id).toBe('initech');
  });
});
