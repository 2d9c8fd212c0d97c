import { projectionContract } from '@kcm/testing';
import { revocations } from './index.js';

describe('projection revocations', () => {
  projectionContract(revocations);
});
