import { projectionContract } from '@kcm/testing';
import { edges } from './index.js';

describe('projection edges', () => {
  projectionContract(edges);
});
