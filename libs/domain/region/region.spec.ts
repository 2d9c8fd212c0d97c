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
      RecordToken: { kind: 'RecordToken', token },
      RecordCertificate: { kind: 'RecordCertificate', certificate },
    },
    table: {
      uninitialized: {
        InitializeRegion: ['RegionInitialized'],
        RecordUnsealed: 'wrong_state',
        RecordSealed: 'wrong_state',
        RecordToken: 'wrong_state',
        RecordCertificate: 'wrong_state',
      },
      sealed: {
        InitializeRegion: 'already_exists',
        RecordUnsealed: ['RegionUnsealed'],
        RecordSealed: [],
        RecordToken: 'sealed',
        RecordCertificate: 'sealed',
      },
      unsealed: {
        InitializeRegion: 'already_exists',
        RecordUnsealed: [],
        RecordSealed: ['RegionSealed'],
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

  it('a late word of an older boot does not seal the newer one', () =>
    given(regionDecider, [initialized, { type: 'RegionUnsealed', data: { boot: 'b2' } }])
      .when({ kind: 'RecordSealed', boot: 'b1' })
      .thenNothing());

  it.each([
    [{ shares: 1, threshold: 1, shareDigests: ['a'] }, ['shares', 'threshold']],
    [{ shares: 3, threshold: 4 }, ['threshold']],
    [{ shares: 256, threshold: 2, shareDigests: [] }, ['shares', 'shareDigests']],
    [{ shareDigests: ['a'] }, ['shareDigests']],
    [{ seal: 'auto' as const }, ['shareDigests']],
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
