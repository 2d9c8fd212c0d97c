import {
  type CertificateIdentity,
  certificateUri,
  parseCertificateUri,
} from './certificate-identity.js';

describe('A certificate’s name', () => {
  it('is read exactly as it is written', () => {
    const identities: CertificateIdentity[] = [
      { kind: 'edge', region: 'eu', edge: 'e1' },
      { kind: 'workload', tenant: 'Acme_1', service: 'billing' },
      { kind: 'core', region: 'eu' },
    ];
    for (const identity of identities)
      expect(parseCertificateUri(certificateUri(identity))).toEqual(identity);
  });

  it.each([
    '',
    'kcm://tenant/acme',
    'kcm://tenant/acme/service/',
    'kcm://tenant/acme/service/a/b',
    'kcm://tenant/../service/a',
    'KCM://tenant/acme/service/a',
    'kcm://tenant/acme/edge/a',
    'kcm://region/EU/edge/a',
    'https://tenant/acme/service/a',
    'kcm://region/eu/core/x',
  ])('%j is none', (uri) => {
    expect(parseCertificateUri(uri)).toBeNull();
  });
});
