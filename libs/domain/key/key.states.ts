import type { Code } from '@kcm/kernel';
import type { Processing } from './key.events.js';

/** NIST SP 800-57 part 1 rev. 5 §7, KMIP 1.4 §3.22. */
export const VERSION_STATES = [
  'pre-active',
  'active',
  'deactivated',
  'compromised',
  'destroyed',
  'destroyed-compromised',
] as const;
export type VersionState = (typeof VERSION_STATES)[number];

/**
 * Where a version stands: its state, or `archived` whatever its state, or a compromised version
 * whose processing somebody has allowed (SP 800-57 §7.4: “under special circumstances”).
 */
export const STANDINGS = [...VERSION_STATES, 'archived', 'compromised-processing'] as const;
export type Standing = (typeof STANDINGS)[number];

export const OPERATIONS = [
  /** Encrypt, wrap: what is new. */
  'protect',
  /** Decrypt, unwrap: what was protected before. */
  'process',
  /** Move what it protects to the newest version, showing nothing. */
  'rewrap',
  /** Wrap the version itself anew under a later version of its parent. */
  'maintain',
  'activate',
  'deactivate',
  'compromise',
  'archive',
  'recover',
  'destroy',
] as const;
export type KeyOperation = (typeof OPERATIONS)[number];

/** `yes`: may be done. `done`: is so already, nothing happens. Else the code of the refusal. */
type Cell = 'yes' | 'done' | Code;
type Row = { readonly [O in KeyOperation]: Cell };

const NOTHING_MORE: Row = {
  protect: 'key_destroyed',
  process: 'key_destroyed',
  rewrap: 'key_destroyed',
  maintain: 'key_destroyed',
  activate: 'key_destroyed',
  deactivate: 'key_destroyed',
  compromise: 'yes',
  archive: 'key_destroyed',
  recover: 'key_destroyed',
  destroy: 'done',
};
const COMPROMISED: Row = {
  protect: 'key_compromised',
  process: 'key_compromised',
  rewrap: 'yes',
  maintain: 'yes',
  activate: 'key_compromised',
  deactivate: 'key_compromised',
  compromise: 'yes',
  archive: 'yes',
  recover: 'wrong_state',
  destroy: 'yes',
};

/** What may be done with a version, by where it stands: the one table that everything asks. */
export const KEY_MATRIX: { readonly [S in Standing]: Row } = {
  'pre-active': {
    protect: 'key_not_active',
    process: 'key_not_active',
    rewrap: 'key_not_active',
    maintain: 'yes',
    activate: 'yes',
    deactivate: 'wrong_state',
    compromise: 'yes',
    archive: 'wrong_state',
    recover: 'wrong_state',
    destroy: 'yes',
  },
  active: {
    protect: 'yes',
    process: 'yes',
    rewrap: 'yes',
    maintain: 'yes',
    activate: 'done',
    deactivate: 'yes',
    compromise: 'yes',
    archive: 'wrong_state',
    recover: 'wrong_state',
    destroy: 'wrong_state',
  },
  deactivated: {
    protect: 'key_not_active',
    process: 'yes',
    rewrap: 'yes',
    maintain: 'yes',
    activate: 'wrong_state',
    deactivate: 'done',
    compromise: 'yes',
    archive: 'yes',
    recover: 'wrong_state',
    destroy: 'yes',
  },
  compromised: COMPROMISED,
  'compromised-processing': { ...COMPROMISED, process: 'yes' },
  archived: {
    protect: 'key_archived',
    process: 'key_archived',
    rewrap: 'key_archived',
    maintain: 'yes',
    activate: 'key_archived',
    deactivate: 'key_archived',
    compromise: 'yes',
    archive: 'done',
    recover: 'yes',
    destroy: 'yes',
  },
  destroyed: NOTHING_MORE,
  'destroyed-compromised': { ...NOTHING_MORE, compromise: 'done' },
};

/** What a version's standing is made of. */
export interface Stood {
  readonly state: VersionState;
  readonly archived?: boolean;
  readonly processing?: Processing;
}

export function standingOf({ state, archived, processing }: Stood): Standing {
  if (isDestroyed({ state })) return state;
  if (archived === true) return 'archived';
  return state === 'compromised' && processing === 'allowed' ? 'compromised-processing' : state;
}

/** Why this operation may not be done with a version that stands so; null: it may. */
export function keyRefusal(version: Stood, operation: KeyOperation): Code | null {
  const cell = KEY_MATRIX[standingOf(version)][operation];
  return cell === 'yes' || cell === 'done' ? null : cell;
}

/** Every code with which this operation may be refused, wherever a version stands. */
export function refusalsOf(operation: KeyOperation): readonly Code[] {
  const cells = STANDINGS.map((standing) => KEY_MATRIX[standing][operation]);
  return [...new Set(cells)].filter((cell) => cell !== 'yes' && cell !== 'done');
}

export const isDestroyed = ({ state }: Pick<Stood, 'state'>): boolean =>
  state === 'destroyed' || state === 'destroyed-compromised';
