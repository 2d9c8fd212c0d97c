import { canonicalJson, type Json } from '@kcm/kernel';
import { hpkeSeal } from './hpke.js';
import { lp } from './lp.js';

/** HPKE info and AAD of keystore credentials: bound to the one root key that they open. */
export const credentialsContext = (tenant: string, rootKeyId: string) => ({
  info: lp('kcm/credentials/v1'),
  aad: lp(tenant, rootKeyId),
});

/** Where they lie in the vault. */
export const credentialsPath = (tenant: string, rootKeyId: string): string =>
  `cred/${tenant}/${rootKeyId}`;

/**
 * Seals a root key's credentials on arrival to the region's transport key (raw X25519), so that
 * only Core reads them. The answer goes to the vault as it is, its SHA-256 into the event. The
 * plaintext is the canonical JSON of the credentials.
 */
export async function sealCredentials(
  transport: Uint8Array,
  tenant: string,
  rootKeyId: string,
  credentials: Json,
): Promise<Buffer> {
  const { info, aad } = credentialsContext(tenant, rootKeyId);
  const plaintext = Buffer.from(canonicalJson(credentials), 'utf8');
  try {
    return await hpkeSeal(transport, info, aad, plaintext);
  } finally {
    plaintext.fill(0);
  }
}
