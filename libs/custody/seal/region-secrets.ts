import { X509Certificate, createPrivateKey } from 'node:crypto';
import {
  ed25519PrivateFromSeed,
  ed25519RawOf,
  generateEd25519,
  hpkeGenerate,
  hpkePublicOf,
  kidOf,
  Secret,
} from '@kcm/crypto';
import type { RegionKeys } from '@kcm/domain';
import { KcmError, never, type Clock, type Random } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';
import { createAuthority } from '../pki.js';

/** Private halves of a region's keys. */
export interface RegionSecrets {
  /** Ed25519 seeds, 32 bytes. */
  readonly signing: Secret;
  readonly issuer: Secret;
  /** X25519, 32 bytes. */
  readonly transport: Secret;
  /** P-256, PKCS #8 DER. */
  readonly ca: Secret;
}
const NAMES = ['signing', 'issuer', 'transport', 'ca'] as const;
type Name = (typeof NAMES)[number];

export async function createRegionSecrets(
  region: string,
  random: Random,
  clock: Clock,
): Promise<{ readonly secrets: RegionSecrets; readonly keys: RegionKeys }> {
  // First what may fail: then nothing has been drawn yet.
  const ca = await createAuthority(region, random, clock);
  const signing = generateEd25519(random);
  const issuer = generateEd25519(random);
  const transport = hpkeGenerate(random);
  const secrets = {
    signing: signing.seed,
    issuer: issuer.seed,
    transport: transport.privateKey,
    ca: Secret.own(ca.privateKey),
  };
  const keys = {
    signing: signing.publicRaw.toString('base64url'),
    issuer: issuer.publicRaw.toString('base64url'),
    transport: transport.publicRaw.toString('base64url'),
    ca: ca.certificate,
  };
  return { secrets, keys };
}

/** Where a key lies: the path names its public half, so a repeated init overwrites nothing. */
function pathOf(name: Name, keys: RegionKeys): string {
  const publicHalf =
    name === 'ca' ? new X509Certificate(keys.ca).raw : Buffer.from(keys[name], 'base64url');
  return `sys/${name}/${kidOf(publicHalf)}`;
}

/** @param store behind the barrier */
export async function storeRegionSecrets(
  store: BlobStore,
  secrets: RegionSecrets,
  keys: RegionKeys,
): Promise<void> {
  // Lent across the call: the barrier seals them before it waits for anything.
  for (const name of NAMES)
    await secrets[name].use((bytes) => store.put(pathOf(name, keys), bytes));
}

/** @throws KcmError integrity when one is missing, damaged or not the half of its public key */
export async function loadRegionSecrets(
  store: BlobStore,
  keys: RegionKeys,
): Promise<RegionSecrets> {
  const loaded: Partial<Record<Name, Secret>> = {};
  try {
    for (const name of NAMES) {
      const path = pathOf(name, keys);
      const bytes = await store.get(path);
      if (bytes === null) throw new KcmError('integrity', `${path} is not in the vault.`);
      loaded[name] = Secret.own(bytes);
      if (!isHalf(name, loaded[name], keys))
        throw new KcmError('integrity', `${path} is not the key that the ledger names.`);
    }
  } catch (refusal) {
    for (const secret of Object.values(loaded)) secret.dispose();
    throw refusal;
  }
  return loaded as Record<Name, Secret>;
}

export function disposeRegionSecrets(secrets: RegionSecrets): void {
  for (const name of NAMES) secrets[name].dispose();
}

function isHalf(name: Name, secret: Secret, keys: RegionKeys): boolean {
  switch (name) {
    case 'ca':
      return secret.use((der) =>
        new X509Certificate(keys.ca).checkPrivateKey(
          createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }),
        ),
      );
    case 'transport':
      return hpkePublicOf(secret).toString('base64url') === keys.transport;
    case 'signing':
    case 'issuer':
      return ed25519RawOf(ed25519PrivateFromSeed(secret)).toString('base64url') === keys[name];
    default:
      return never(name);
  }
}
