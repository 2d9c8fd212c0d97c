import type { Recorded } from '@kcm/domain';
import { parseStream, streamOf } from '@kcm/kernel';
import { ownerOf, type Process, type Todo } from '../process.js';

export interface ShreddingState {
  readonly tenant: string;
  /** Key ids that are not revoked. */
  readonly keys: readonly string[];
  /** Services whose key was never made. */
  readonly unkeyed: readonly string[];
  readonly requested: string | null;
  readonly shredded: string | null;
}

const without = (services: readonly string[], service: string | null): readonly string[] =>
  services.filter((each) => each !== service);

function evolve(state: ShreddingState, event: Recorded): ShreddingState {
  const id = parseStream(event.stream).id ?? '';
  switch (event.type) {
    case 'ServiceMapped':
      return {
        ...state,
        unkeyed: [...without(state.unkeyed, event.data.service), event.data.service],
      };
    case 'ServiceUnmapped':
      return { ...state, unkeyed: without(state.unkeyed, event.data.service) };
    case 'KeyCreated': {
      const unkeyed = without(state.unkeyed, event.data.service);
      return { ...state, keys: [...state.keys, id], unkeyed };
    }
    case 'KeyRevoked':
      return { ...state, keys: state.keys.filter((key) => key !== id) };
    case 'RevocationShredRequested':
      return { ...state, requested: id };
    case 'RevocationShredded':
      return { ...state, requested: null, shredded: id };
    default:
      return state;
  }
}

function todo({ tenant, keys, unkeyed, requested, shredded }: ShreddingState): readonly Todo[] {
  const list: Todo[] = [];
  if (requested !== null)
    list.push({
      id: `shred:${requested}`,
      step: { kind: 'shred', tenant, revocation: requested },
    });
  if (shredded === null) return list;
  for (const service of unkeyed)
    list.push({
      id: `unmap:${service}`,
      step: {
        kind: 'tenant',
        stream: streamOf('tenant', tenant),
        command: { kind: 'UnmapService', service, code: 'tenant_killed' },
      },
    });
  for (const key of keys)
    list.push({
      id: `revoke:${key}`,
      step: {
        kind: 'key',
        stream: streamOf('key', tenant, key),
        command: { kind: 'RecordShredded', revocation: shredded },
      },
    });
  return list;
}

/**
 * From a requested shred to destroyed material and revoked keys; whoever waits for the key of a
 * service that was mapped is told that there will be none. Subject: the tenant.
 */
export const shredding: Process<ShreddingState> = {
  name: 'shredding',
  version: 2,
  handles: [
    'ServiceMapped',
    'ServiceUnmapped',
    'KeyCreated',
    'KeyRevoked',
    'RevocationShredRequested',
    'RevocationShredded',
  ],
  subjects: ownerOf,
  initial: (tenant) => ({ tenant, keys: [], unkeyed: [], requested: null, shredded: null }),
  evolve,
  todo,
};
