import { projectionContract } from '@kcm/testing';
import { tenantKeys } from './index.js';

describe('projection tenant-keys', () => {
  projectionContract(tenantKeys);
});
