import { readFileSync } from 'node:fs';
import { generateEd25519, kidOf, privateKeyFromPem, signJws } from '@kcm/crypto';
import type { Json } from '@kcm/kernel';
import { TestAuthority } from '@kcm/testing/tls';
import type { Receipt, ReceiptHolder, Trust } from './receipt.js';
import { renderReceipt } from './render-receipt.js';
import { parseTrust, verifyReceipt } from './verify-receipt.js';

const START = '2030-01-01T00:00:00.000Z';
const BOUND = '2030-01-01T00:01:01.000Z';
const SPOKE = '2030-01-01T00:00:00.200Z';

const silent: ReceiptHolder = {
  id: 'edge:e2',
  boot: '',
  lastGrantEnds: '2030-01-01T00:00:59.000Z',
  refusedAt: null,
  erasedAt: null,
  statement: null,
  certificate: null,
};
const base: Omit<Extract<Receipt, { format: 1 }>, 'holders'> = {
  format: 1,
  kind: 'locked',
  issuedAt: BOUND,
  region: 'local',
  tenant: 'acme',
  ledger: 'l1',
  revocation: {
    id: 'r1',
    kind: 'kill',
    scope: 'all',
    cause: 'incident',
    lockedBy: 'sub-a',
    startedAt: START,
    hardBound: BOUND,
    epoch: 5,
    term: 1,
  },
  events: [{ type: 'RevocationLocked', id: 'e1', stream: 's', revision: 0, at: START }],
  probe: null,
  shred: null,
  exported: { keys: 0 },
  fourEyes: null,
  trialGrade: [],
  doesNotClaim: ['anything else'],
};

const integrity = expect.objectContaining({ code: 'integrity' });

describe('A receipt', () => {
  const region = generateEd25519();
  let authority: TestAuthority;
  let trust: Trust;
  let holder: ReceiptHolder;
  let statement: { [name: string]: Json };
  let foreign: ReceiptHolder;

  beforeAll(async () => {
    authority = await TestAuthority.create();
    trust = {
      format: 1,
      region: 'local',
      tenant: 'acme',
      signing: { kty: 'OKP', crv: 'Ed25519', x: region.publicRaw.toString('base64url') },
      ca: authority.ca,
    };
    const said = { boot: 'b1', uid: 'acme/l2-0123456789ab/1', term: 1, epoch: 5, handles: 1 };
    statement = { ...said, refusedAt: SPOKE, erasedAt: 'dropped-unconfirmed' };
    holder = await speaking(authority);
    foreign = await speaking(await TestAuthority.create('other'));
  });

  const speaking = async (by: TestAuthority, of: object = {}): Promise<ReceiptHolder> => {
    const { certificate, privateKey } = await by.edge('e1');
    return {
      id: 'edge:e1',
      boot: 'b1',
      lastGrantEnds: '2030-01-01T00:00:30.000Z',
      refusedAt: SPOKE,
      erasedAt: null,
      statement: signJws(privateKeyFromPem(privateKey), {}, { ...statement, ...of }),
      certificate,
    };
  };
  const sign = (receipt: object, header: object = {}, by = region): string =>
    signJws(
      by.privateKey,
      { kid: kidOf(by.publicRaw), typ: 'kcm-receipt+jws', ...header },
      receipt as Json,
    );
  const whole = (change: object = {}): Receipt => ({
    ...base,
    holders: [holder, silent],
    ...change,
  });
  const verified = (receipt: object) => verifyReceipt(sign(receipt), trust);

  it('is verified with the pinned trust alone, and says what was signed', () => {
    expect(verified(whole())).toEqual(whole());
  });

  it('of format 1 that an earlier release issued is read for ever', () => {
    const golden = (name: string) =>
      readFileSync(new URL(`golden/format-1.${name}`, import.meta.url), 'utf8');
    const pinned = parseTrust(golden('trust.json'));
    const said = verifyReceipt(golden('jws').trim(), pinned);
    expect(said).toMatchObject({ format: 1, kind: 'shredded', tenant: 'acme' });
    expect(said.events.map(({ revision }) => revision)).toEqual([0, 3, 4, 5]);
    expect(renderReceipt(said)).toContain('a receipt of format 1 has no proof');
  });

  it('with any one byte changed is refused', () => {
    const text = sign(whole());
    for (let at = 0; at < text.length; at += 7) {
      const other = text[at] === 'A' ? 'B' : 'A';
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      expect(() => verifyReceipt(changed, trust)).toThrow(integrity);
    }
  });

  it('of another signer, under another key id or of another type is refused', () => {
    const other = generateEd25519();
    expect(() => verifyReceipt(sign(whole(), {}, other), trust)).toThrow(integrity);
    expect(() => verifyReceipt(sign(whole(), { kid: 'f'.repeat(16) }), trust)).toThrow(/key/);
    expect(() => verifyReceipt(sign(whole(), { typ: 'JWT' }), trust)).toThrow(/not a receipt/);
  });

  it.each<[string, object, RegExp]>([
    ['another tenant’s', { tenant: 'globex' }, /tenant globex/],
    ['another region’s', { region: 'eu' }, /region eu/],
    ['of a later format', { format: 3 }, /format 1 or 2/],
    ['of format 2 without its proofs', { format: 2 }, /format 1 or 2/],
    ['with a member that format 1 has not', { more: true }, /format 1/],
    ['a shred without one', { kind: 'shredded' }, /its parts do not/],
    ['a denial without a probe', { kind: 'provider-denied' }, /its parts do not/],
    ['silent on what it does not claim', { doesNotClaim: [] }, /format 1/],
    ['resting on no event', { events: [] }, /format 1/],
    [
      'bound before it began',
      { revocation: { ...base.revocation, hardBound: '2029-12-31T23:59:59.000Z' } },
      /before the start/,
    ],
    [
      'hiding a shred',
      { shred: { requestedBy: 'b', confirmedAt: BOUND, erasureKeys: 1, blobs: 1, word: 'w' } },
      /hides a shred/,
    ],
  ])('%s is refused though the region signed it', (_what, change, why) => {
    expect(() => verified(whole(change))).toThrow(why);
  });

  it.each<[string, () => Promise<ReceiptHolder> | ReceiptHolder]>([
    ['quoted at another time', () => ({ ...holder, refusedAt: START })],
    ['quoted as having erased', () => ({ ...holder, erasedAt: SPOKE })],
    ['who kept its keys to decrypt', () => speaking(authority, { erasedAt: 'kept' })],
    ['of another boot', () => ({ ...holder, boot: 'b2' })],
    ['under another’s name', () => ({ ...holder, id: 'edge:e9' })],
    ['certified by another authority', () => foreign],
    ['who spoke of another tenant', () => speaking(authority, { uid: 'globex/l2-0123456789ab/1' })],
    ['who answered an earlier lock', () => speaking(authority, { epoch: 3 })],
    ['who answered in an earlier term', () => speaking(authority, { term: 0, epoch: 9 })],
    ['who named no epoch', () => speaking(authority, { epoch: 'latest' })],
    [
      'who spoke of one service alone',
      () => speaking(authority, { uid: 'acme/l3-0123456789ab/1' }),
    ],
    ['quoted without a word', () => ({ ...silent, refusedAt: SPOKE })],
    ['silent without an end', () => ({ ...silent, lastGrantEnds: null })],
    ['silent beyond the bound', () => ({ ...silent, lastGrantEnds: '2030-01-01T00:01:02.000Z' })],
  ])('that names a holder %s is refused', async (_what, wrong) => {
    const holders = [await wrong()];
    expect(() => verified(whole({ holders }))).toThrow(integrity);
  });

  it('rests on a word that came before the record of the lock, or after a later one', async () => {
    for (const said of [{ epoch: 4 }, { epoch: 6 }, { term: 2, epoch: 0 }]) {
      const holders = [await speaking(authority, said)];
      expect(verified(whole({ holders })).holders).toEqual(holders);
    }
  });

  it('of one service rests on a word of its key', async () => {
    const revocation = { ...base.revocation, kind: 'suspend' as const, scope: 'billing' };
    const holders = [await speaking(authority, { uid: 'acme/l3-0123456789ab/1' })];
    expect(verified(whole({ revocation, holders })).holders).toEqual(holders);
  });

  it('is checked against a trust file that is whole, whatever else a later release adds', () => {
    expect(parseTrust(JSON.stringify({ ...trust, policy: {} }))).toEqual(trust);
    for (const wrong of ['', '[]', JSON.stringify({ ...trust, signing: { x: 'short' } })])
      expect(() => parseTrust(wrong)).toThrow(/trust file/);
  });
});
