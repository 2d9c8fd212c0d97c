import { projectionContract } from '@kcm/testing';
import { keyUsage } from './index.js';

describe('projection key-usage', () => {
  projectionContract(keyUsage);
});
