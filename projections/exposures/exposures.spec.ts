import { projectionContract } from '@kcm/testing';
import { exposures } from './index.js';

describe('projection exposures', () => {
  projectionContract(exposures);
});
