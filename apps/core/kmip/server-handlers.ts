import {
  ObjectType,
  Operation,
  operationName,
  QueryFunction,
  type OperationName,
  type ResponseOf,
} from '@kcm/kmip';
import { discoverVersions, type Handlers, type Peer } from '@kcm/kmip/server';

/** Discover Versions and Query: the same for every certificate. */
export function serverHandlers(
  operations: readonly OperationName[],
): Pick<Handlers<Peer>, 'DiscoverVersions' | 'Query'> {
  const numbers = Object.values(Operation).filter((number) => {
    const name = operationName(number);
    return name !== null && operations.includes(name);
  });
  return {
    DiscoverVersions: discoverVersions,
    Query: ({ functions }): ResponseOf<'Query'> => ({
      ...(functions.includes(QueryFunction.QueryOperations) ? { operations: numbers } : {}),
      ...(functions.includes(QueryFunction.QueryObjects)
        ? { objectTypes: [ObjectType.SymmetricKey] }
        : {}),
      ...(functions.includes(QueryFunction.QueryServerInformation)
        ? { vendorIdentification: 'OpenKCM' }
        : {}),
      ...(functions.includes(QueryFunction.QueryCapabilities)
        ? {
            capabilities: {
              streaming: false,
              asynchronous: false,
              attestation: false,
              batchUndo: false,
              batchContinue: true,
            },
          }
        : {}),
    }),
  };
}
