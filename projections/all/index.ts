import type { Projection } from '@kcm/read-models';
import { audit } from '../audit/index.js';
import { edges } from '../edges/index.js';
import { events } from '../events/index.js';
import { exposures } from '../exposures/index.js';
import { keyUsage } from '../key-usage/index.js';
import { leases } from '../leases/index.js';
import { operations } from '../operations/index.js';
import { revocations } from '../revocations/index.js';
import { rootKeys } from '../root-keys/index.js';
import { tenantKeys } from '../tenant-keys/index.js';
import { tenants } from '../tenants/index.js';

/** Every read model of the product. */
export const projections: readonly Projection<unknown>[] = [
  tenants,
  rootKeys,
  tenantKeys,
  keyUsage,
  exposures,
  revocations,
  audit,
  leases,
  operations,
  edges,
  events,
];
