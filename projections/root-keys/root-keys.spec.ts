import { projectionContract } from '@kcm/testing';
import { rootKeys } from './index.js';

describe('projection root-keys', () => {
  projectionContract(rootKeys);
});
