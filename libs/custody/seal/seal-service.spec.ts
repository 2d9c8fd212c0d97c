import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Hex, verifyJws, ed25519PublicFromRaw, hpkeSeal, verifyToken } from '@kcm/crypto';
import type { RegionState } from '@kcm/domain';
import { KcmError, systemClock, systemRandom, systemScheduler, type Json } from '@kcm/kernel';
import { MemoryBlobs } from '@kcm/testing';
import type { BlobStore } from '@kcm/vault';
import { openSqliteBlobStore } from '@kcm/vault/sqlite';
import { keyringPath } from './keyring.js';
import { SealService, type Initialized, type InitRequest } from './seal-service.js';
import { normalShareText, readShare, writeShare } from './shares/share.js';

const UNINITIALIZED: RegionState = { status: 'uninitialized' };
const service = (vault: BlobStore, region = 'eu') =>
  new SealService({
    region,
    vault,
    random: systemRandom,
    clock: systemClock,
    scheduler: systemScheduler,
  });

interface Region extends Initialized {
  readonly vault: MemoryBlobs;
  readonly state: RegionState;
}
async function init(
  request: InitRequest,
  region = 'eu',
  vault = new MemoryBlobs(),
): Promise<Region> {
  const done = await service(vault, region).init(UNINITIALIZED, request);
  return { ...done, vault, state: { status: 'sealed', config: done.config } };
}
const shamir = (threshold: number, shares: number): InitRequest => ({
  seal: 'shamir',
  shares,
  threshold,
});
async function unseal(region: Region, shares: readonly string[]): Promise<SealService> {
  const seal = service(region.vault);
  for (const share of shares) await seal.unseal(region.state, share);
  return seal;
}
const refusedAs = (code: string, ...names: string[]) =>
  expect.objectContaining({
    code: 'share_refused',
    errors: [
      { path: 'share', code, detail: expect.stringMatching(new RegExp(names.join('.*'), 's')) },
    ],
  });

function* ordered<T>(items: readonly T[], length: number): Generator<T[]> {
  if (length === 0) yield [];
  else
    for (const [at, first] of items.entries())
      for (const rest of ordered(items.toSpliced(at, 1), length - 1)) yield [first, ...rest];
}

describe('Unsealing', () => {
  it.each([
    [1, 1],
    [1, 3],
    [2, 3],
    [3, 5],
  ])('%i of %i: every subset in every order opens, one less never', async (k, n) => {
    const region = await init(shamir(k, n));
    expect(region.shares).toHaveLength(n);
    for (const shares of ordered(region.shares, k)) {
      const seal = service(region.vault);
      for (const [at, share] of shares.entries()) {
        expect(seal.sealed).toBe(true);
        expect(() => seal.custody()).toThrow(expect.objectContaining({ code: 'sealed' }));
        const last = at === k - 1;
        const provided = last ? 0 : at + 1;
        const progress = { sealed: !last, provided, threshold: k, opened: last };
        await expect(seal.unseal(region.state, share)).resolves.toEqual(progress);
      }
      expect(seal.custody().keys).toEqual(region.config.keys);
    }
  });

  it('opens with the last of 255 shares', async () => {
    const region = await init(shamir(3, 255));
    expect((await unseal(region, region.shares.slice(-3))).sealed).toBe(false);
  });

  it('survives a restart on the disk, with a share as a person typed it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'seal-'));
    const file = join(folder, 'vault.db');
    try {
      const before = await openSqliteBlobStore({ file, role: 'vault' });
      const made = await service(before).init(UNINITIALIZED, shamir(2, 3));
      const state: RegionState = { status: 'sealed', config: made.config };
      const first = service(before);
      for (const share of made.shares.slice(0, 2)) await first.unseal(state, share);
      await first.barriered(before).put('l2/acme/k', Buffer.from('blob'));
      await before.close();

      const after = await openSqliteBlobStore({ file, role: 'vault' });
      const second = service(after);
      await expect(second.barriered(after).get('l2/acme/k')).rejects.toThrow('sealed');
      await second.unseal(state, made.shares[0]!);
      await second.unseal(state, made.shares[2]!.toUpperCase().replace(/(.{20})/g, '$1\n '));
      const blob = await second.barriered(after).get('l2/acme/k');
      expect(blob?.toString()).toBe('blob');
      await after.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('answers a further share once open without taking it', async () => {
    const region = await init(shamir(1, 1));
    const seal = await unseal(region, region.shares);
    const progress = { sealed: false, provided: 0, threshold: 1, opened: false };
    await expect(seal.unseal(region.state, 'anything')).resolves.toEqual(progress);
  });

  it('opens once for shares that arrive at the same time', async () => {
    const region = await init(shamir(2, 3));
    const seal = service(region.vault);
    const answers = await Promise.all(region.shares.map((s) => seal.unseal(region.state, s)));
    expect(answers.filter((answer) => answer.opened)).toHaveLength(1);
    expect(seal.sealed).toBe(false);
  });

  it('forgets shares on reset and starts again', async () => {
    const region = await init(shamir(2, 3));
    const seal = await unseal(region, [region.shares[0]!]);
    await expect(seal.reset(region.state)).resolves.toMatchObject({ provided: 0, sealed: true });
    await seal.unseal(region.state, region.shares[1]!);
    expect(seal.sealed).toBe(true);
    await seal.unseal(region.state, region.shares[0]!);
    expect(seal.sealed).toBe(false);
  });

  it('is refused before init, and init after it', async () => {
    const wrongState = { code: 'wrong_state' };
    const seal = service(new MemoryBlobs());
    await expect(seal.unseal(UNINITIALIZED, 'kcms1-a')).rejects.toMatchObject(wrongState);
    const { state } = await init(shamir(1, 1));
    await expect(seal.init(state, shamir(1, 1))).rejects.toMatchObject(wrongState);
  });
});

describe('A wrong share is refused by name', () => {
  let region: Region;
  let seal: SealService;
  beforeAll(async () => {
    region = await init(shamir(3, 5));
  });
  beforeEach(async () => {
    seal = await unseal(region, region.shares.slice(0, 2));
  });
  // Whatever was refused, nothing was taken: the right third share opens.
  afterEach(async () => {
    const { state, shares } = region;
    const progress = await seal.unseal(state, shares[2]!);
    if (!progress.opened) throw new Error('a refused share was taken');
  });
  const give = (text: string) => seal.unseal(region.state, text);

  it.each([
    '',
    'kcms1-',
    'hello',
    'kcms2-aaaa',
    'kcms1-aaaa',
    'kcms1-!!!',
    `kcms1-${'a'.repeat(97)}`,
  ])('malformed: %j', async (text) => {
    await expect(give(text)).rejects.toEqual(refusedAs('malformed'));
  });

  it('checksum: any mistyped character', async () => {
    const good = region.shares[2]!;
    for (let at = 8; at < good.length; at++) {
      const text = good.slice(0, at) + (good[at] === 'b' ? 'c' : 'b') + good.slice(at + 1);
      const fresh = service(region.vault).unseal(region.state, text);
      await expect(fresh).rejects.toEqual(refusedAs('checksum'));
    }
  });

  it('duplicate', async () => {
    const name = `Share 2 of set ${region.config.setId}`;
    await expect(give(region.shares[1]!)).rejects.toEqual(refusedAs('duplicate', name));
  });

  it('of another region', async () => {
    const { shares, config } = await init(shamir(3, 5), 'us');
    const name = `Share 3 of set ${config.setId}`;
    await expect(give(shares[2]!)).rejects.toEqual(refusedAs('foreign_region', name));
  });

  it('of another set of this region', async () => {
    const { shares, config } = await init(shamir(3, 5));
    const name = `Share 3 of set ${config.setId}`;
    const set = `set ${region.config.setId}`;
    await expect(give(shares[2]!)).rejects.toEqual(refusedAs('foreign_set', name, set));
  });

  it.each([0, 6, 255])('index %i', async (index) => {
    const forged = writeShare({ ...readShare(region.shares[2]!), index });
    await expect(give(forged)).rejects.toEqual(refusedAs('wrong_index', `Share ${index} `));
  });

  it('never given out, though well formed: another value, index or threshold', async () => {
    const share = readShare(region.shares[2]!);
    const value = readShare(region.shares[3]!).value;
    for (const forged of [
      { ...share, value },
      { ...share, index: 4 },
      { ...share, threshold: 2 },
    ])
      await expect(give(writeShare(forged))).rejects.toEqual(
        refusedAs('unknown', `Share ${forged.index} `),
      );
  });

  it('and the refusal does not hold its value', async () => {
    const text = writeShare({ ...readShare(region.shares[2]!), threshold: 2 });
    const refusal = await give(text).then(
      () => null,
      (error: unknown) => error as KcmError,
    );
    const told = JSON.stringify(refusal) + refusal?.message + refusal?.stack;
    for (let at = 0; at + 16 <= text.length; at++)
      expect(told).not.toContain(text.slice(at, at + 16));
  });
});

describe('The unseal key of an automatic seal', () => {
  it('opens, and its digest stands nowhere', async () => {
    const region = await init({ seal: 'auto' });
    expect(region.config).toMatchObject({
      seal: 'auto',
      shares: 1,
      threshold: 1,
      shareDigests: [],
    });
    expect((await unseal(region, region.shares)).sealed).toBe(false);
  });

  it('of other bytes is refused as a wrong key', async () => {
    const region = await init({ seal: 'auto' });
    const value = readShare((await init({ seal: 'auto' })).shares[0]!).value;
    const forged = writeShare({ ...readShare(region.shares[0]!), value });
    await expect(unseal(region, [forged])).rejects.toEqual(refusedAs('wrong_key'));
    expect((await unseal(region, region.shares)).sealed).toBe(false);
  });
});

describe('Init', () => {
  it('keeps in its configuration the digest of each share and no share', async () => {
    const { config, shares, vault } = await init(shamir(2, 3));
    expect(config.shareDigests).toEqual(shares.map((share) => sha256Hex(normalShareText(share))));
    for (const share of shares) {
      expect(share).toMatch(/^kcms1-[a-z2-7]{96}$/);
      for (const blob of vault.blobs.values())
        readShare(share).value.use((value) => expect(blob.includes(value)).toBe(false));
    }
  });

  it('whose event never came is repeated, and one that came late still opens', async () => {
    const vault = new MemoryBlobs();
    const lost = await init(shamir(1, 1), 'eu', vault);
    const again = await init(shamir(1, 1), 'eu', vault);
    expect((await unseal(again, again.shares)).sealed).toBe(false);
    expect((await unseal(lost, lost.shares)).sealed).toBe(false);
  });

  it.each([
    [0, 0, ['shares', 'threshold']],
    [2, 256, ['shares']],
    [4, 3, ['threshold']],
    [0, 3, ['threshold']],
    [1.5, 3, ['threshold']],
  ])('%d of %d is an invalid request', async (k, n, paths) => {
    const refusal = service(new MemoryBlobs()).init(UNINITIALIZED, shamir(k, n));
    const errors = paths.map((path) => expect.objectContaining({ path }));
    await expect(refusal).rejects.toMatchObject({ code: 'invalid_request', errors });
  });
});

describe('Sealed', () => {
  it('nothing that was open works any more', async () => {
    const region = await init(shamir(1, 1));
    const seal = await unseal(region, region.shares);
    const custody = seal.custody();
    const store = seal.barriered(region.vault);
    await store.put('a', Buffer.from('x'));
    seal.seal();
    const sealed = { code: 'sealed' };
    const claims = { subject: 's', tenant: null, roles: [], jti: 'j', expiresAtSeconds: 1 };
    const none = Buffer.alloc(0);
    expect(() => seal.custody()).toThrow(expect.objectContaining(sealed));
    expect(() => custody.signReceipt({})).toThrow(expect.objectContaining(sealed));
    const head = { ledger: 'l', size: 0, root: Buffer.alloc(32) };
    expect(() => custody.signCheckpoint(head)).toThrow(expect.objectContaining(sealed));
    expect(() => custody.barrier.seal('a', none)).toThrow(expect.objectContaining(sealed));
    await expect(custody.signToken(claims)).rejects.toMatchObject(sealed);
    await expect(custody.openTransport(none, none, none)).rejects.toMatchObject(sealed);
    await expect(custody.authority.issueWorkload('t', 's', 1)).rejects.toMatchObject(sealed);
    await expect(store.get('a')).rejects.toMatchObject(sealed);
    await expect(store.get('none')).rejects.toMatchObject(sealed);
    await expect(store.put('a', none)).rejects.toMatchObject(sealed);
    await expect(store.putIfAbsent('b', none)).rejects.toMatchObject(sealed);
    await expect(store.list('')).resolves.toContain('a');
    await expect(store.erase('a')).resolves.toBe(1);
  });

  it('wins over an unseal in flight', async () => {
    const region = await init(shamir(1, 1));
    const seal = service(region.vault);
    const opening = seal.unseal(region.state, region.shares[0]!);
    await Promise.resolve();
    await Promise.resolve();
    seal.seal();
    await opening.catch(() => undefined);
    seal.seal();
    expect(seal.sealed).toBe(true);
    expect((await unseal(region, region.shares)).sealed).toBe(false);
  });
});

describe('A vault that was changed', () => {
  const integrity = { code: 'integrity' };

  it('is refused for every flipped bit of keyring and keys, and what is missing', async () => {
    const region = await init(shamir(1, 1));
    for (const [path, good] of new Map(region.vault.blobs)) {
      for (let at = 0; at < good.length; at++) {
        const bad = Buffer.from(good);
        bad[at]! ^= 1 << (at & 7);
        region.vault.blobs.set(path, bad);
        await expect(unseal(region, region.shares)).rejects.toMatchObject(integrity);
      }
      region.vault.blobs.delete(path);
      await expect(unseal(region, region.shares)).rejects.toMatchObject(integrity);
      region.vault.blobs.set(path, good);
    }
    expect((await unseal(region, region.shares)).sealed).toBe(false);
  });

  it('is refused when two keys change places', async () => {
    const region = await init(shamir(1, 1));
    const [a, b] = ['sys/signing/', 'sys/issuer/'].map((prefix) =>
      [...region.vault.blobs.keys()].find((key) => key.startsWith(prefix))!,
    ) as [string, string];
    const [x, y] = [region.vault.blobs.get(a)!, region.vault.blobs.get(b)!];
    region.vault.blobs.set(a, y).set(b, x);
    await expect(unseal(region, region.shares)).rejects.toMatchObject(integrity);
  });

  it('opens with no other set’s keyring', async () => {
    const vault = new MemoryBlobs();
    const region = await init(shamir(1, 1), 'eu', vault);
    const other = await init(shamir(1, 1), 'eu', vault);
    const foreign = vault.blobs.get(keyringPath(other.config.setId))!;
    vault.blobs.set(keyringPath(region.config.setId), foreign);
    await expect(unseal(region, region.shares)).rejects.toMatchObject(integrity);
  });

  it('leaves no share behind: each is asked for again', async () => {
    const region = await init(shamir(2, 3));
    const seal = service(region.vault);
    const path = keyringPath(region.config.setId);
    const good = region.vault.blobs.get(path)!;
    region.vault.blobs.delete(path);
    await seal.unseal(region.state, region.shares[0]!);
    await expect(seal.unseal(region.state, region.shares[1]!)).rejects.toMatchObject(integrity);
    region.vault.blobs.set(path, good);
    const progress = await seal.unseal(region.state, region.shares[1]!);
    expect(progress).toMatchObject({ sealed: true, provided: 1 });
  });
});

describe('An open region', () => {
  it('signs receipts and tokens and opens what was sealed to it', async () => {
    const region = await init(shamir(1, 1));
    const custody = (await unseal(region, region.shares)).custody();
    const { keys } = region.config;
    const raw = (key: string) => Buffer.from(key, 'base64url');

    const payload: Json = { format: 1 };
    const receipt = verifyJws(
      custody.signReceipt(payload),
      ed25519PublicFromRaw(raw(keys.signing)),
    );
    const kid = sha256Hex(raw(keys.signing)).slice(0, 16);
    expect(receipt).toEqual({ header: { alg: 'EdDSA', kid, typ: 'kcm-receipt+jws' }, payload });

    const nowMs = systemClock.wallMs();
    const expiresAtSeconds = Math.floor(nowMs / 1000) + 60;
    const claims = { subject: 's', tenant: 't', roles: ['auditor'], jti: 'j', expiresAtSeconds };
    const expected = { issuer: 'kcm:eu', audience: 'openkcm', nowMs, leewaySeconds: 0 };
    const token = await custody.signToken(claims);
    await expect(verifyToken(token, raw(keys.issuer), expected)).resolves.toEqual(claims);

    const [info, aad, secret] = ['i', 'a', 'token'].map((text) => Buffer.from(text));
    const blob = await hpkeSeal(raw(keys.transport), info!, aad!, secret!);
    await expect(custody.openTransport(info!, aad!, blob)).resolves.toEqual(secret);
  });
});
