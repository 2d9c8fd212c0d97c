import { everyCell, given } from '@kcm/testing';
import { regionDecider } from './region.decide.js';
import type { RegionEvent } from './region.events.js';

const config = {
  seal: 'shamir',
  setId: 's1',
  shares: 3,
  threshold: 2,
  shareDigests: ['a', 'b', 'c'],
  keys: { signing: 'S', issuer: 'I', transport: 'T', ca: 'PEM' },
} as const;
const rekey = {
  seal: 'shamir',
  setId: 's2',
  shares: 2,
  threshold: 2,
  shareDigests: ['d', 'e'],
  replaces: 's1',
} as const;
const initialized: RegionEvent = { type: 'RegionInitialized', data: config };
const unsealed: RegionEvent = { type: 'RegionUnsealed', data: { boot: 'b1' } };
const token = {
  jti: 'j1',
  tenant: 'acme',
  subject: 'sub-a',
  roles: ['auditor'],
  expiresAt: '2031-01-01T00:00:00.000Z',
};
const certificate = { san: 'kcm://region/local/edge/e1', certificateSha256: 'ab', notAfter: 'x' };

describe('region: every state × command', () => {
  everyCell(regionDecider, {
    shows: { uninitialized: 'uninitialized', sealed: 'sealed', unsealed: 'unsealed' },
    histories: { uninitialized: [], sealed: [initialized], unsealed: [initialized, unsealed] },
    commands: {
      InitializeRegion: { kind: 'InitializeRegion', region: config },
      RecordUnsealed: { kind: 'RecordUnsealed', boot: 'b1' },
      RecordSealed: { kind: 'RecordSealed', boot: 'b1' },
      RecordRekeyed: { kind: 'RecordRekeyed', rekey, entry: 1 },
      RecordKeyringRotated: { kind: 'RecordKeyringRotated', setId: 's1', entry: 2 },
      RecordToken: { kind: 'RecordToken', token },
      RecordCertificate: { kind: 'RecordCertificate', certificate },
    },
    table: {
      uninitialized: {
        InitializeRegion: ['RegionInitialized'],
        RecordUnsealed: 'wrong_state',
        RecordSealed: 'wrong_state',
        RecordRekeyed: 'wrong_state',
        RecordKeyringRotated: 'wrong_state',
        RecordToken: 'wrong_state',
        RecordCertificate: 'wrong_state',
      },
      sealed: {
        InitializeRegion: 'already_exists',
        RecordUnsealed: ['RegionUnsealed'],
        RecordSealed: [],
        RecordRekeyed: 'sealed',
        RecordKeyringRotated: 'sealed',
        RecordToken: 'sealed',
        RecordCertificate: 'sealed',
      },
      unsealed: {
        InitializeRegion: 'already_exists',
        RecordUnsealed: [],
        RecordSealed: ['RegionSealed'],
        RecordRekeyed: ['RegionRekeyed'],
        RecordKeyringRotated: ['RegionKeyringRotated'],
        RecordToken: ['TokenIssued'],
        RecordCertificate: ['CertificateIssued'],
      },
    },
  });
});

describe('region', () => {
  it('the next boot unseals though the last one died unsealed', () =>
    given(regionDecider, [initialized, unsealed])
      .when({ kind: 'RecordUnsealed', boot: 'b2' })
      .then({ type: 'RegionUnsealed', data: { boot: 'b2' } }));

  const fold = (events: readonly RegionEvent[]) =>
    events.reduce((state, event) => regionDecider.evolve(state, event), regionDecider.initial);
  const opened = (boot: string): RegionEvent => ({ type: 'RegionUnsealed', data: { boot } });
  const sealed = (boot: string): RegionEvent => ({ type: 'RegionSealed', data: { boot } });

  it('whoever is asked seals it, however many are open and whoever of them came last', () => {
    for (const boot of ['b1', 'b2', 'b3'])
      given(regionDecider, [initialized, opened('b1'), opened('b2')])
        .when({ kind: 'RecordSealed', boot })
        .then(sealed(boot));
  });

  it('a late word of a boot that was open seals all of them', () =>
    given(regionDecider, [initialized, opened('b1'), opened('b2')])
      .when({ kind: 'RecordSealed', boot: 'b1', late: true })
      .then(sealed('b1')));

  it('a late word of an older boot does not seal the newer one', () =>
    given(regionDecider, [initialized, opened('b1'), sealed('b1'), opened('b2')])
      .when({ kind: 'RecordSealed', boot: 'b1', late: true })
      .thenNothing());

  it('a rekey replaces the set that counts, and no other', () => {
    const rekeyed: RegionEvent = { type: 'RegionRekeyed', data: rekey };
    for (const wrong of [
      { kind: 'RecordRekeyed', rekey, entry: 1 },
      { kind: 'RecordRekeyed', rekey: { ...rekey, setId: 's3', replaces: 's1' }, entry: 1 },
      { kind: 'RecordRekeyed', rekey: { ...rekey, replaces: 's2' }, entry: 1 },
    ] as const)
      given(regionDecider, [initialized, unsealed, rekeyed]).when(wrong).refused('wrong_state');
    const state = fold([initialized, unsealed, rekeyed, sealed('b1'), opened('b2')]);
    expect(state).toEqual({
      status: 'unsealed',
      boot: 'b2',
      config: { ...config, setId: 's2', shares: 2, threshold: 2, shareDigests: ['d', 'e'] },
      retired: ['s1'],
    });
  });

  it('a rekey moves the seal to a keystore and away from it', () => {
    const keystore = { driver: 'vault', resolved: 'c/m/k/1', generation: 1 };
    const steps: RegionEvent[] = [
      { type: 'RegionRekeyed', data: { ...rekey, seal: 'keystore', keystore } },
      { type: 'RegionRekeyed', data: { ...rekey, setId: 's3', replaces: 's2' } },
    ];
    const states = steps.map((_, at) => fold([initialized, unsealed, ...steps.slice(0, at + 1)]));
    expect(states).toMatchObject([
      { config: { seal: 'keystore', keystore } },
      { config: { seal: 'shamir', setId: 's3' }, retired: ['s1', 's2'] },
    ]);
    expect(states[1]).not.toHaveProperty('config.keystore');
  });

  it('the same entry of the keyring is recorded once', () =>
    given(regionDecider, [
      initialized,
      unsealed,
      { type: 'RegionKeyringRotated', data: { entry: 3 } },
    ])
      .when({ kind: 'RecordKeyringRotated', setId: 's1', entry: 3 })
      .thenNothing());

  it('a key of a keyring whose shares were replaced meanwhile is not recorded', () =>
    given(regionDecider, [initialized, unsealed])
      .when({ kind: 'RecordKeyringRotated', setId: 's0', entry: 2 })
      .refused('wrong_state'));

  it.each([
    [{ shares: 1, threshold: 1, shareDigests: ['a'] }, ['shares', 'threshold']],
    [{ shares: 3, threshold: 4 }, ['threshold']],
    [{ shares: 256, threshold: 2, shareDigests: [] }, ['shares', 'shareDigests']],
    [{ shareDigests: ['a'] }, ['shareDigests']],
    [{ seal: 'auto' as const }, ['shareDigests']],
    [{ seal: 'keystore' as const }, ['keystore']],
    [{ keystore: { driver: 'vault', resolved: 'c/m/k/1', generation: 1 } }, ['keystore']],
  ])('a wrong seal configuration is refused: %j', (wrong, paths) =>
    given(regionDecider)
      .when({ kind: 'InitializeRegion', region: { ...config, ...wrong } })
      .refused('invalid_request', ...paths),
  );

  it('auto-unseal knows no shares', () => {
    const region = { ...config, seal: 'auto', shares: 1, threshold: 1, shareDigests: [] } as const;
    given(regionDecider)
      .when({ kind: 'InitializeRegion', region })
      .then({ type: 'RegionInitialized', data: region });
  });
});
