import { calls } from './calls/index.js';
import { compromise } from './compromise/index.js';
import { onboarding } from './onboarding/index.js';
import type { Process } from './process.js';
import { receipts } from './receipts/index.js';
import { retiring } from './retiring/index.js';
import { revocation } from './revocation/index.js';
import { rewrapping } from './rewrapping/index.js';
import { rotation } from './rotation/index.js';
import { shredding } from './shredding/index.js';
import { takeover } from './takeover/index.js';

/** Every process manager of the product. */
export const processes: readonly Process[] = [
  onboarding,
  rotation,
  compromise,
  takeover,
  rewrapping,
  retiring,
  calls,
  revocation,
  shredding,
  receipts,
];
