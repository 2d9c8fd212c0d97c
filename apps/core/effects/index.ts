import { never } from '@kcm/kernel';
import type { Effect } from '@kcm/processes';
import { closeCalls } from './close-calls.js';
import { compromiseHeld } from './compromise-held.js';
import { connectRootKey } from './connect-root-key.js';
import type { EffectDeps, EffectTrace } from './context.js';
import { createL2 } from './create-l2.js';
import { createL3 } from './create-l3.js';
import { destroyVersion } from './destroy-version.js';
import { eraseVersion } from './erase-version.js';
import { probeRootKey } from './probe-root-key.js';
import { recordExposures } from './record-exposures.js';
import { rewrapL3 } from './rewrap-l3.js';
import { rotateL2 } from './rotate-l2.js';
import { rotateL3 } from './rotate-l3.js';
import { shred } from './shred.js';

export type { CoreStep, Dispatch, EffectDeps, EffectTrace } from './context.js';

/** Every effect on keys; receipts have their own room. */
export type KeyEffect = Exclude<Effect, { kind: 'issueReceipt' }>;

/**
 * Runs one item of a to-do list. At least once is enough: each effect looks at the ledger first and
 * ends by appending what takes it off the list.
 * @throws KcmError: to be tried again later
 */
export function runKeyEffect(
  deps: EffectDeps,
  effect: KeyEffect,
  trace: EffectTrace,
): Promise<void> {
  switch (effect.kind) {
    case 'connectRootKey':
      return connectRootKey(deps, effect, trace);
    case 'probeRootKey':
      return probeRootKey(deps, effect, trace);
    case 'createL2':
      return createL2(deps, effect, trace);
    case 'createL3':
      return createL3(deps, effect, trace);
    case 'rotateL2':
      return rotateL2(deps, effect, trace);
    case 'rotateL3':
      return rotateL3(deps, effect, trace);
    case 'rewrapL3':
      return rewrapL3(deps, effect, trace);
    case 'destroyVersion':
      return destroyVersion(deps, effect, trace);
    case 'eraseVersion':
      return eraseVersion(deps, effect, trace);
    case 'recordExposures':
      return recordExposures(deps, effect, trace);
    case 'compromiseHeld':
      return compromiseHeld(deps, effect, trace);
    case 'closeCalls':
      return closeCalls(deps, effect, trace);
    case 'shred':
      return shred(deps, effect, trace);
    default:
      return never(effect);
  }
}
