import { projectionContract } from '@kcm/testing';
import { tenants } from './index.js';

describe('projection tenants', () => {
  projectionContract(tenants);
});
