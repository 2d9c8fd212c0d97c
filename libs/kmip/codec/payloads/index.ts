import { Operation } from '../enums.js';
import { attributeCodecs } from './attributes.js';
import { leaseCodecs } from './leases.js';
import { objectCodecs } from './objects.js';
import { serverInformationCodecs } from './server-information.js';
import type { OperationName, PayloadCodecs } from './types.js';

export * from './types.js';

/** Every operation whose payloads this library knows; a new one is one entry here and one type. */
export const PAYLOADS: PayloadCodecs = {
  ...serverInformationCodecs,
  ...objectCodecs,
  ...attributeCodecs,
  ...leaseCodecs,
};

const byNumber = new Map<number, OperationName>(
  (Object.keys(PAYLOADS) as OperationName[]).map((name) => [Operation[name], name]),
);

/** Name of an operation with a payload codec, or null. */
export const operationName = (operation: number): OperationName | null =>
  byNumber.get(operation) ?? null;
