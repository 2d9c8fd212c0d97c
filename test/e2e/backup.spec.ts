import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { jest } from '@jest/globals';
import type { HealthReport } from '@kcm/kernel';
import { checkBackup } from '../../apps/ledger/index.js';
import { eventsOf } from '../crash/ledger-audit.js';
import {
  Keystore,
  onboard,
  Region,
  type Sample,
  Stage,
  type Tenant,
  until,
} from '../support/index.js';
import { runToEnd } from '../support/processes.js';
import { say, Seeded, seedOf } from '../support/seeded.js';

jest.setTimeout(120_000);

const ENDS = ['', '-wal', '-shm'];
/** What one store holds, read beside the server. */
const blobsOf = (file: string): ReadonlyMap<string, Buffer> => {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = db.prepare('SELECT key, bytes FROM blobs').all() as {
      key: string;
      bytes: Uint8Array;
    }[];
    return new Map(rows.map(({ key, bytes }) => [key, Buffer.from(bytes)]));
  } finally {
    db.close();
  }
};

describe('A backup of a running region', () => {
  const seed = seedOf();
  const draw = new Seeded(seed);
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let acme: Tenant;
  let globex: Tenant;
  /** Nobody used its keys before the backup. */
  let unused: Tenant;
  const samples = new Map<string, Sample>();
  /** acme's erasure key as it lay in the store before the shred, under the barrier. */
  let erased: Buffer;
  const file = stage.path('yesterday.kcm');
  const checkpoint = stage.path('yesterday.checkpoint');
  const later = stage.path('later.checkpoint');
  const backUp = (name: string) =>
    region.kcm(
      'backup',
      '--out',
      stage.path(`${name}.kcm`),
      '--checkpoint',
      stage.path(`${name}.checkpoint`),
    );
  const restore = (to: string, from = file, note = checkpoint, env = {}) =>
    runToEnd('cli', ['restore', from, '--checkpoint', note], {
      KCM_DATA_DIR: stage.path(to),
      ...env,
    });

  beforeAll(async () => {
    say(`seed ${seed}`);
    region = new Region(stage, { services: 'billing' });
    [keystore] = await Promise.all([Keystore.start(stage), region.start()]);
    [acme, globex, unused] = [
      await onboard(region, keystore, 'acme'),
      await onboard(region, keystore, 'globex'),
      await onboard(region, keystore, 'unused'),
    ];
    for (const { id } of [acme, globex])
      samples.set(id, await region.edge('billing').sample(id, `a record of ${id}`));
  });
  afterAll(() => stage.close());

  it('is taken while it serves and writes, checked before it has its name, for this user alone', async () => {
    const writing = Array.from({ length: 30 }, (_, n) =>
      region.operator.command('/v1/tenants', { id: `t${n}`, name: 'one of many' }),
    );
    const done = await backUp('yesterday');
    expect([done.code, done.stderr]).toEqual([0, expect.any(String)]);
    await Promise.all(writing);
    samples.set('unused', await region.edge('billing').sample('unused', 'of after the backup'));
    expect([file, checkpoint].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o600]);
    expect(readdirSync(stage.path('.')).filter((name) => name.endsWith('.part'))).toEqual([]);
    const facts = await checkBackup(file, readFileSync(checkpoint, 'utf8'));
    expect(facts).toMatchObject({ region: 'local', vault: expect.any(Number) });
    expect(facts.vault).toBeGreaterThan(8);
    expect(facts.directory).toBeGreaterThan(2);
    erased = blobsOf(join(region.data, 'erasure.db')).get('tek/acme')!;
    expect(erased.length).toBeGreaterThan(32);
  });

  it('holds all that its ledger names, and nothing of the erasure store', async () => {
    const values = valuesIn(file);
    for (const { type, data, stream } of ledgerIn(file)) {
      const { digest } = data as { digest?: string };
      if (!/^Key(Created|Rotated|VersionRewrapped)$/.test(type)) continue;
      const held = [...values.keys()].some((path) => path.endsWith(`/${digest ?? ''}`));
      expect([stream, type, held]).toEqual([stream, type, digest !== undefined]);
    }
    expect([...values.keys()].filter((path) => path.startsWith('tek/'))).toEqual([]);
    const text = readFileSync(file);
    expect(text.includes(erased.toString('base64').slice(4, -8))).toBe(false);
    // The control: what it does hold is found so.
    const l2 = [...values].find(([path]) => path.startsWith('l2/acme/'))![1];
    expect(text.includes(l2.slice(4, -8))).toBe(true);
  });

  it('names no file that is there, and none in the data folder, which would be lost with it', async () => {
    expect((await backUp('yesterday')).code).toBe(2);
    const one = await region.kcm(
      'backup',
      '--out',
      stage.path('x'),
      '--checkpoint',
      stage.path('x'),
    );
    expect([one.code, one.stderr]).toEqual([2, expect.stringContaining('of its own')]);
    const inside = join(region.data, 'inside');
    const into = await region.kcm('backup', '--out', stage.path('x'), '--checkpoint', inside);
    expect([into.code, into.stderr]).toEqual([2, expect.stringContaining('data folder')]);
    expect(existsSync(stage.path('x'))).toBe(false);
  });

  it('is refused by name when it is cut, edited, another one, or older than its checkpoint', async () => {
    await region.operator.command('/v1/tenants', { id: 'newer', name: 'newer' });
    const tip = await region.operator.read<string>('/v1/log/local/checkpoint');
    writeFileSync(later, tip);
    const [whole, note] = [readFileSync(file), readFileSync(checkpoint, 'utf8')];
    const changed = stage.path('changed.kcm');
    const refusal = async (bytes: Buffer, by = note): Promise<string> => {
      writeFileSync(changed, bytes);
      return checkBackup(changed, by).then(
        () => 'none',
        (error: unknown) => (error as { code: string }).code,
      );
    };
    expect(await refusal(whole)).toBe('none');
    expect(await refusal(whole, tip)).toBe('backup_older');
    for (let n = 0; n < 25; n += 1)
      expect(['backup_cut', 'not_a_backup']).toContain(
        await refusal(whole.subarray(0, draw.between(0, whole.length - 1))),
      );
    const lines = whole.toString('utf8').trimEnd().split('\n');
    const without = (at: number) => Buffer.from(`${lines.toSpliced(at, 1).join('\n')}\n`);
    for (let n = 0; n < 12; n += 1)
      expect(await refusal(without(draw.between(2, lines.length - 2)))).toBe('backup_damaged');
    expect(await refusal(without(lines.length - 1))).toBe('backup_cut');
    const changes = new Map<string, number>();
    for (let n = 0; n < 150; n += 1) {
      const bytes = Buffer.from(whole);
      bytes[draw.between(0, bytes.length - 1)]! ^= 1 << draw.between(0, 6);
      const named = await refusal(bytes);
      changes.set(named, (changes.get(named) ?? 0) + 1);
    }
    say(`150 bytes flipped: ${JSON.stringify(Object.fromEntries(changes))}`);
    expect(changes.get('none')).toBeUndefined();
    expect(changes.get('backup_older')).toBeUndefined();
    expect(await refusal(whole, note.replace(/\n(\d+)\n/, '\n1\n'))).toBe('not_a_checkpoint');
    expect(await refusal(whole, 'no checkpoint')).toBe('not_a_checkpoint');
    const other = note.replaceAll('openkcm/local/', 'openkcm/other/');
    expect(await refusal(whole, other)).toBe('backup_of_another');
    // A vault of another day under the same events: signed by nobody.
    const exchanged = lines.map((line) =>
      line.includes('"store":"vault"') && line.includes('l2/acme/')
        ? line.replace(/"bytes":"[^"]+"/, '"bytes":"AAAA"')
        : line,
    );
    expect(await refusal(Buffer.from(`${exchanged.join('\n')}\n`))).toBe('backup_damaged');
    // As an operator meets it: nothing is left in the folder.
    const older = await restore('refused', file, later);
    expect([older.code, older.stderr]).toEqual([1, expect.stringContaining('backup_older')]);
    expect(existsSync(stage.path('refused'))).toBe(false);
  });

  it('is one at a time, and one that nobody takes to its end holds up none', async () => {
    const { operator } = region;
    const headers = { authorization: `Bearer ${region.server.operatorToken}` };
    const leaving = new AbortController();
    const url = `${region.server.url}/v1/sys/backup`;
    const first = await fetch(url, { headers, signal: leaving.signal });
    expect(first.status).toBe(200);
    leaving.abort();
    await until('another one', 5_000, async () => {
      const { status } = await operator.get('/v1/sys/backup');
      return status === 200 || null;
    });
    await operator.post('/v1/sys/seal');
    expect((await operator.get('/v1/sys/backup')).code).toBe('sealed');
    const share = readFileSync(join(region.data, 'unseal-key'), 'utf8').trim();
    await operator.command('/v1/sys/unseal', { share });
    await region.serving();
  });

  it('goes into an empty folder alone', async () => {
    mkdirSync(stage.path('full'), { mode: 0o700 });
    writeFileSync(stage.path('full/vault.db'), '');
    const full = await restore('full');
    expect([full.code, full.stderr]).toEqual([1, expect.stringContaining('folder_not_empty')]);
  });

  describe('restored after a shred', () => {
    let old: Region;
    beforeAll(async () => {
      // The barrier has another key since: what the erasure store holds now lies under that one.
      const { operator } = region;
      const { ceremony } = await operator.command<{ ceremony: { id: string } }>('/v1/sys/rotate', {
        begin: true,
      });
      const share = readFileSync(join(region.data, 'unseal-key'), 'utf8').trim();
      await operator.command('/v1/sys/rotate', { ceremony: ceremony.id, share });
      await until('the rotation', 20_000, async () => {
        const { keyring } = await operator.read<Sealing>('/v1/sys/status');
        return (keyring.entry === 2 && keyring.resealing?.state === 'done') || null;
      });
      // Before anything there was sealed anew the erasure store had the keyring that opens it.
      const kept = blobsOf(join(region.data, 'erasure.db'));
      for (const [path, bytes] of blobsOf(join(region.data, 'vault.db')))
        if (path.startsWith('sys/keyring/') && kept.get(path)?.equals(bytes) !== true)
          throw new Error(`the erasure store lacks ${path}`);
      const killed = await acme.anna.command<{ id: string }>(`${acme.path}/revocations`, {
        kind: 'kill',
        scope: { all: true },
        reason: { code: 'incident' },
      });
      const path = `${acme.path}/revocations/${killed.id}`;
      await acme.boris.command(`${path}/shred`);
      await until('the shred', 20_000, async () => {
        const { stage: at } = await acme.auditor.read<{ stage: string }>(path);
        return at === 'shredded' || null;
      });
    });

    it('is a ledger of its own, in which every tenant has a new term before anybody is served', async () => {
      old = new Region(stage, { folder: 'old', services: 'billing' });
      // A restore that was killed left its draft.
      for (const each of [old.data, join(old.data, 'restore.part')])
        mkdirSync(each, { mode: 0o700 });
      writeFileSync(join(old.data, 'restore.part/ledger.db'), 'half of one');
      const done = await restore('old/data');
      expect([done.code, done.stderr]).toEqual([0, expect.any(String)]);
      expect(readdirSync(old.data).sort()).toEqual(['directory.db', 'ledger.db', 'vault.db']);
      const said = JSON.parse(done.stdout) as { ledger: string; to: string; tenants: number };
      expect(said.to).not.toBe(said.ledger);
      const events = await eventsOf(old.data);
      const raised = events.filter(({ type }) => type === 'TermRaised');
      expect(raised.map(({ meta }) => meta.tenant)).toEqual(
        expect.arrayContaining(['acme', 'globex']),
      );
      expect(raised).toHaveLength(said.tenants);
      expect(events.slice(-said.tenants)).toEqual(raised);
    });

    it('opens nothing of who was shredded, over the real doors; the others open', async () => {
      await region.stop();
      for (const name of ['erasure.db', 'unseal-key'])
        copyFileSync(join(region.data, name), join(old.data, name));
      // No piece of the erased key lies in any restored file.
      const files = readdirSync(old.data).filter((name) => /\.db(-wal)?$/.test(name));
      const pieces = [8, Math.floor(erased.length / 2), erased.length - 20];
      for (const name of files) {
        const bytes = readFileSync(join(old.data, name));
        for (const at of pieces)
          expect([name, bytes.includes(erased.subarray(at, at + 16))]).toEqual([name, false]);
      }
      const l2 = [...blobsOf(join(old.data, 'vault.db'))].find(([path]) =>
        path.startsWith('l2/acme/'),
      )![1];
      expect(readFileSync(join(old.data, 'vault.db')).includes(l2.subarray(60, 76))).toBe(true);
      await old.start();
      const edge = old.edge('billing');
      await until('the neighbour', 20_000, async () =>
        (await edge.opens(samples.get('globex')!)) === true ? true : null,
      );
      const anna = await old.person('acme', 'anna', 'tenant-admin', 'key-admin');
      const view = await anna.read<{ access: { open: boolean } }>(acme.path);
      // The copy knows of no kill, and the customer's key is enabled.
      expect(view.access.open).toBe(true);
      expect(keystore.calls(globex.key).at(-1)?.outcome).toBe('ok');
      const opened = await edge.decrypt('acme', samples.get('acme')!.ciphertext);
      expect(opened).toMatchObject({ status: 503, code: 'integrity' });
      expect(await edge.encrypt('acme', 'anew')).toMatchObject({ status: 503, code: 'integrity' });
    });

    it('destroys no version of which it cannot know what was protected after the backup', async () => {
      const edge = old.edge('billing');
      const opens = () => edge.opens(samples.get('unused')!);
      await until(
        'what came after the backup',
        20_000,
        async () => (await opens()) === true || null,
      );
      const anna = await old.person('unused', 'anna', 'tenant-admin', 'key-admin');
      const { items } = await anna.read<{ items: { id: string; level: string }[] }>(
        `${unused.path}/keys`,
      );
      const key = `${unused.path}/keys/${items.find(({ level }) => level === 'L3')!.id}`;
      await anna.command(`${key}/rotate`, {});
      await until('the Edge to tell no more of it', 60_000, async () => {
        const refused = await anna.call('POST', `${key}/versions/1/destroy`, {});
        expect([refused.status, refused.code]).toEqual([409, 'key_in_use']);
        const { errors } = refused.body as { errors: { code: string; detail: string }[] };
        return errors.find(({ code }) => code === 'unreported')?.detail === '1' || null;
      });
      expect(await opens()).toBe(true);
      await old.stop();
    });

    it('with no erasure store opens nothing of anybody, and says plainly what is lost', async () => {
      for (const name of ['erasure.db', 'erasure-copy', 'erasure-backups'])
        for (const end of ENDS)
          rmSync(join(old.data, name + end), { recursive: true, force: true });
      await old.start();
      const { body } = await old.as(null).get<HealthReport>('/readyz');
      const lost = body.reasons.find(({ code }) => code === 'erasure_keys_missing');
      expect(lost?.detail).toMatch(/^3 of 3 tenants .*nobody can decrypt/);
      const doctor = await old.kcm('doctor');
      expect([doctor.code, doctor.stdout]).toEqual([
        1,
        expect.stringMatching(/wrong {8}erasure-store: 3 of 3 tenants/),
      ]);
      const { ciphertext } = samples.get('globex')!;
      expect(await old.edge('billing').decrypt('globex', ciphertext)).toMatchObject({
        status: 503,
        code: 'integrity',
      });
      await old.stop();
    });

    it('is backed up again, and a backup of before is refused under its checkpoint', async () => {
      rmSync(join(old.data, 'erasure-copy'), { recursive: true, force: true });
      copyFileSync(join(region.data, 'erasure.db'), join(old.data, 'erasure.db'));
      await old.start();
      const [out, note] = [stage.path('again.kcm'), stage.path('again.checkpoint')];
      expect((await old.kcm('backup', '--out', out, '--checkpoint', note)).code).toBe(0);
      await expect(checkBackup(file, readFileSync(note, 'utf8'))).rejects.toMatchObject({
        code: 'backup_of_another',
      });
      await old.stop();
    });
  });
});

interface Sealing {
  readonly keyring: {
    readonly entry: number;
    readonly resealing: { readonly state: string } | null;
  };
}
interface Line {
  readonly store?: string;
  readonly key?: string;
  readonly bytes?: string;
  readonly stream?: string;
  readonly type?: string;
  readonly data?: object;
}
const linesOf = (path: string): Line[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const valuesIn = (path: string): ReadonlyMap<string, string> =>
  new Map(
    linesOf(path).flatMap(({ store, key, bytes }) =>
      store === 'vault' ? [[key!, bytes!] as const] : [],
    ),
  );
const ledgerIn = (path: string) =>
  linesOf(path).flatMap(({ type, data, stream }) =>
    type === undefined ? [] : [{ type, data: data!, stream: stream! }],
  );
