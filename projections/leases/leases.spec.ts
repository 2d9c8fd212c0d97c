import { projectionContract } from '@kcm/testing';
import { leases } from './index.js';

describe('projection leases', () => {
  projectionContract(leases);
});
