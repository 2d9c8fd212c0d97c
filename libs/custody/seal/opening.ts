import type { Secret } from '@kcm/crypto';
import { type Clock, KcmError, type Random, type Scheduler } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';
import { Barrier } from './barrier.js';
import { BarrieredStore } from './barriered-store.js';
import { Keyring, keyringPath, WrongMasterKey } from './keyring.js';
import { masterIdentity, masterPath, openMaster, type SealKeystore } from './keystore-seal.js';
import { OpenCustody } from './open-custody.js';
import { loadRegionSecrets } from './region-secrets.js';
import type { SealConfig, ShareSetConfig } from './seal-config.js';
import { combineSecret } from './shares/shamir.js';
import { shareRefused } from './shares/share.js';

export interface SealParts {
  readonly region: string;
  /** As it is on disk; the service puts the barrier before it. */
  readonly vault: BlobStore;
  readonly random: Random;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** With `KCM_SEAL=keystore:…` alone. */
  readonly keystore?: SealKeystore | undefined;
}

/** @throws KcmError integrity, share_refused (`auto`: wrong_key) */
export async function openKeyring(
  { region, vault }: SealParts,
  { seal, setId }: ShareSetConfig,
  master: Secret,
): Promise<Keyring> {
  const path = keyringPath(setId);
  const blob = await vault.get(path);
  if (blob === null) throw new KcmError('integrity', `${path} is not in the vault.`);
  try {
    return Keyring.open(master, blob, { region, setId });
  } catch (refusal) {
    if (!(refusal instanceof WrongMasterKey)) throw refusal;
    // Shares of a set were each proved by digest, so it is the keyring that is wrong.
    if (seal !== 'auto') throw new KcmError('integrity', `${path} is damaged.`);
    throw shareRefused('wrong_key', 'The unseal key is not the one of this region.');
  }
}

/** @throws KcmError integrity, share_refused (`auto`: wrong_key) */
export async function openCustody(
  parts: SealParts,
  config: SealConfig,
  master: Secret,
): Promise<OpenCustody> {
  const { region, vault, random, clock } = parts;
  const keyring = await openKeyring(parts, config, master);
  try {
    const barrier = new Barrier(region, keyring, random);
    const secrets = await loadRegionSecrets(new BarrieredStore(vault, () => barrier), config.keys);
    return new OpenCustody(region, config.keys, keyring, secrets, random, clock);
  } catch (refusal) {
    keyring.dispose();
    throw refusal;
  }
}

/**
 * The MasterKey, by the shares at hand or, where the shares only authorise, by the keystore.
 * @throws KcmError wrong_state, integrity, or that of the keystore’s refusal
 */
export async function masterBy(
  parts: SealParts,
  config: SealConfig,
  values: readonly Secret[],
): Promise<Secret> {
  return config.seal === 'keystore' ? masterByKeystore(parts, config) : combineSecret(values);
}

/** @throws KcmError wrong_state, integrity, or that of the keystore’s refusal */
export async function masterByKeystore(parts: SealParts, config: SealConfig): Promise<Secret> {
  const keystore = keystoreOf(parts);
  const { region, vault, random } = parts;
  if (config.keystore === undefined)
    throw new KcmError('wrong_state', 'This region is opened by its shares, and by no keystore.');
  const { driver, resolved } = config.keystore;
  if (driver !== keystore.driver) {
    const detail = `The seal is kept by a keystore ${driver}, and KCM_SEAL names ${keystore.driver}.`;
    throw new KcmError('wrong_state', detail);
  }
  const path = masterPath(config.setId);
  const blob = await vault.get(path);
  if (blob === null) throw new KcmError('integrity', `${path} is not in the vault.`);
  return openMaster(keystore, random, blob, masterIdentity(region, config), resolved);
}

/** @throws KcmError wrong_state */
export function keystoreOf({ keystore }: SealParts): SealKeystore {
  if (keystore !== undefined) return keystore;
  throw new KcmError('wrong_state', 'This server is told of no keystore for its seal (KCM_SEAL).');
}
