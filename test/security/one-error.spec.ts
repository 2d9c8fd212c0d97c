import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { jest } from '@jest/globals';
import { askSocket, type SocketAnswer } from '@kcm/testing/edge';
import {
  EdgeProcess,
  Keystore,
  LEASE_SECONDS,
  onboard,
  Region,
  Stage,
  type Tenant,
} from '../support/index.js';

jest.setTimeout(120_000);

const stage = new Stage();
let region: Region;
let edge: EdgeProcess;
const tenants = new Map<string, Tenant>();
/** Whose stored keys are damaged below, and how. */
const HARMED = [
  'swapped-l3',
  'damaged-l3',
  'flipped-l3',
  'cut-l3',
  'foreign-l3',
  'gone-l3',
  'swapped-l2',
  'flipped-l2',
  'swapped-tek',
] as const;
const PLAIN = Buffer.from('card 4711').toString('base64');
const CONTEXT = { invoice: '42' };

const socketOf = (service: string): string => join(edge.data, 'edge', `${service}.sock`);
const ask = (service: string, tenant: string, verb: string, body: object): Promise<SocketAnswer> =>
  askSocket(socketOf(service), 'POST', `/v1/tenants/${tenant}/${verb}`, body);
async function seal(tenant: string, service = 'billing', context?: object): Promise<Buffer> {
  const answer = await ask(service, tenant, 'encrypt', { plaintext: PLAIN, context });
  expect(answer.status).toBe(200);
  return Buffer.from(answer.body['ciphertext'] as string, 'base64');
}

/** All that a caller sees of a refusal but what is of the moment: ids and the date. */
function seen({ status, headers, text }: SocketAnswer): string {
  const { date: _date, 'x-correlation-id': id, ...others } = headers;
  return JSON.stringify([status, others, text.replace(String(id), '')]);
}

beforeAll(async () => {
  region = await new Region(stage).start();
  const keystore = await Keystore.start(stage);
  const services = ['billing', 'mail'];
  for (const id of ['acme', 'globex', ...HARMED])
    tenants.set(id, await onboard(region, keystore, id, { services }));
  edge = await EdgeProcess.start(stage, region, 'edge-1', services);
});
afterAll(() => stage.close());

describe('A record that does not open', () => {
  /** An own record: version(1) algorithm(1) length n of the key id, key id(n), version(4), salt… */
  const edit = (record: Buffer, at: number, change: (byte: number) => number): Buffer => {
    const copy = Buffer.from(record);
    copy[at] = change(copy[at]!);
    return copy;
  };
  const withKey = (record: Buffer, key: string): Buffer => {
    const head = Buffer.concat([record.subarray(0, 2), Buffer.of(key.length), Buffer.from(key)]);
    return Buffer.concat([head, record.subarray(3 + record[2]!)]);
  };
  const withVersion = (record: Buffer, version: number): Buffer => {
    const copy = Buffer.from(record);
    copy.writeUInt32BE(version, 3 + copy[2]!);
    return copy;
  };

  it('is refused in the same words whatever is wrong with it, alone and in a batch', async () => {
    const own = await seal('acme', 'billing', CONTEXT);
    const mail = await seal('acme', 'mail', CONTEXT);
    const foreign = await seal('globex', 'billing', CONTEXT);
    const mailKey = tenants.get('acme')!.l3['mail']!;
    const wrong: Record<string, Buffer> = {
      empty: Buffer.alloc(0),
      'no record': Buffer.from('no record at all'),
      longer: Buffer.concat([own, Buffer.of(0)]),
      'of another tenant': foreign,
      'of another service': mail,
      'of another tenant, under our key’s name': withKey(
        foreign,
        tenants.get('acme')!.l3['billing']!,
      ),
      'another key that is there': withKey(own, mailKey),
      'a key that is not': withKey(own, 'l3-000000000000'),
      'no key’s name': withKey(own, 'L3/../x'),
      'an empty name': withKey(own, ''),
      'version 0': withVersion(own, 0),
      'a version to come': withVersion(own, 2),
      'the last version': withVersion(own, 0xffff_ffff),
    };
    for (let at = 0; at < own.length; at += 1) {
      wrong[`a bit of byte ${at}`] = edit(own, at, (byte) => byte ^ (1 << (at % 8)));
      wrong[`cut at ${at}`] = own.subarray(0, at);
    }
    const answers = new Map<string, string[]>();
    const tell = (answer: string, of: string) =>
      answers.set(answer, [...(answers.get(answer) ?? []), of]);
    interface Case {
      readonly name: string;
      readonly item: { readonly ciphertext: string; readonly context: object | undefined };
    }
    const cases: Case[] = Object.entries(wrong).map(([name, bytes]) => ({
      name,
      item: { ciphertext: bytes.toString('base64'), context: CONTEXT },
    }));
    const right = own.toString('base64');
    const contexts = [
      undefined,
      {},
      { invoice: '43' },
      { invoice: '42', a: '' },
      { Invoice: '42' },
    ];
    for (const context of contexts)
      cases.push({ name: JSON.stringify(context) ?? 'none', item: { ciphertext: right, context } });
    for (const { name, item } of cases)
      tell(seen(await ask('billing', 'acme', 'decrypt', item)), name);
    expect([...answers.values()].map((names) => names.slice(0, 5))).toHaveLength(1);
    expect([...answers.keys()][0]).toMatch(/^\[400,.*decryption_failed/);

    const items: unknown[] = [];
    for (let from = 0; from < cases.length; from += 200) {
      const batch = { items: cases.slice(from, from + 200).map(({ item }) => item) };
      const answer = await ask('billing', 'acme', 'decrypt-batch', batch);
      items.push(...(answer.body['items'] as unknown[]));
    }
    const error = { code: 'decryption_failed', detail: 'The ciphertext cannot be decrypted.' };
    expect(items).toEqual(cases.map(() => ({ error })));
    const opened = await ask('billing', 'acme', 'decrypt', { ciphertext: right, context: CONTEXT });
    expect(opened.body).toEqual({ plaintext: PLAIN });
  });
});

describe('Stored keys that were damaged under a running region', () => {
  const blobs = (file: string, act: (db: DatabaseSync) => void): void => {
    const db = new DatabaseSync(join(region.data, file));
    act(db);
    db.close();
  };
  const pathOf = (db: DatabaseSync, prefix: string): string => {
    const rows = db.prepare('SELECT key FROM blobs WHERE key GLOB ?').all(`${prefix}*`);
    expect(rows).toHaveLength(1);
    return String(rows[0]!['key']);
  };
  const read = (db: DatabaseSync, key: string): Buffer =>
    Buffer.from(
      db.prepare('SELECT bytes FROM blobs WHERE key = ?').get(key)!['bytes'] as Uint8Array,
    );
  /** With the checksum that belongs there, as somebody would who wants to be believed. */
  const write = (db: DatabaseSync, key: string, bytes: Buffer): void => {
    const sql = 'UPDATE blobs SET bytes = ?, checksum = ? WHERE key = ?';
    const checksum = crc32(bytes, crc32(`${key}\n`));
    expect(db.prepare(sql).run(bytes, checksum, key).changes).toBe(1);
  };
  const swap = (db: DatabaseSync, one: string, other: string): void => {
    const [a, b] = [read(db, one), read(db, other)];
    write(db, one, b);
    write(db, other, a);
  };
  const l3 = (db: DatabaseSync, tenant: string, service = 'billing'): string =>
    pathOf(db, `l3/${tenant}/${tenants.get(tenant)!.l3[service]!}/`);

  it('open nothing: two that were swapped, and all others, are one error at the Edge', async () => {
    const sealed = new Map<string, string>();
    for (const tenant of ['acme', ...HARMED]) {
      sealed.set(tenant, (await seal(tenant)).toString('base64'));
      await seal(tenant, 'mail');
    }
    blobs('vault.db', (db) => {
      swap(db, l3(db, 'swapped-l3'), l3(db, 'swapped-l3', 'mail'));
      const damage = 'UPDATE blobs SET checksum = checksum + 1 WHERE key = ?';
      db.prepare(damage).run(l3(db, 'damaged-l3'));
      const flipped = read(db, l3(db, 'flipped-l3'));
      flipped[flipped.length - 1]! ^= 1;
      write(db, l3(db, 'flipped-l3'), flipped);
      write(db, l3(db, 'cut-l3'), read(db, l3(db, 'cut-l3')).subarray(0, 40));
      write(db, l3(db, 'foreign-l3'), read(db, l3(db, 'globex')));
      db.prepare('DELETE FROM blobs WHERE key = ?').run(l3(db, 'gone-l3'));
      swap(db, pathOf(db, 'l2/swapped-l2/'), pathOf(db, 'l2/globex/'));
      const l2 = read(db, pathOf(db, 'l2/flipped-l2/'));
      l2[20]! ^= 1;
      write(db, pathOf(db, 'l2/flipped-l2/'), l2);
    });
    for (const copy of ['erasure.db', 'erasure-copy/erasure.db'])
      blobs(copy, (db) => swap(db, 'tek/swapped-tek', 'tek/globex'));
    // What is in memory ends with its proof, which what was used is renewed twice at most; then the
    // stores are read again.
    await sleep(2.5 * LEASE_SECONDS * 1_000);
    const decrypt = (tenant: string) =>
      ask('billing', tenant, 'decrypt', { ciphertext: sealed.get(tenant)! });
    const opened = await decrypt('acme');
    expect(opened.body).toEqual({ plaintext: PLAIN });
    const answers = new Map<string, string[]>();
    for (const tenant of HARMED) {
      const answer = seen(await decrypt(tenant));
      answers.set(answer, [...(answers.get(answer) ?? []), tenant]);
    }
    expect([...answers.values()]).toEqual([HARMED]);
    expect([...answers.keys()][0]).toContain('[503,');
    expect([...answers.keys()][0]).toContain('Core refuses the lease: integrity.');
  });
});
