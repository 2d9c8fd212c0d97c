import type { RegionKeys } from '@kcm/domain';

/** Keystore drivers by name. */
export const DRIVERS = Symbol('KeystoreDrivers');

/** The region's public keys, from its own events. */
export interface RegionKeysSource {
  /** @throws KcmError sealed while the region is not initialized */
  keys(): RegionKeys;
}
export const REGION_KEYS = Symbol('RegionKeys');

/** The live view of access, in which a lock may act before its record. */
export const FORESIGHT = Symbol('Foresight');

/** Of acts that took effect before their record. */
export const RECORDING = Symbol('Recording');
