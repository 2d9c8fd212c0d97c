import { privateKeyFromPem, type KeyObject } from '@kcm/crypto';
import { certificateUri } from '@kcm/kernel';
import type { KmipClientOptions } from '@kcm/kmip/client';
import type { EdgeOptions, RenewedCertificate } from '../running-edge.js';

/** How this Edge shows who it is, and what it signs its statements with. */
export interface EdgeCredentials {
  readonly connection: KmipClientOptions;
  /** The certificate's key. */
  readonly signingKey: KeyObject;
}

/** Those of an Edge that has this certificate now. */
export function credentialsOf(
  { coreHost: host, corePort: port, region, ca: first }: EdgeOptions,
  { certificate, privateKey, ca = first }: RenewedCertificate,
): EdgeCredentials {
  return {
    connection: {
      host,
      port,
      certificate,
      privateKey,
      ca,
      // Every Core's certificate has this name; which Core it is stands in the URI.
      serverName: 'localhost',
      serverUri: certificateUri({ kind: 'core', region }),
    },
    signingKey: privateKeyFromPem(privateKey),
  };
}
