import type { Recorded } from '@kcm/domain';
import { parseStream, streamOf } from '@kcm/kernel';
import { ownerOf, type Process, type Todo } from '../process.js';

export interface ShreddingState {
  readonly tenant: string;
  /** Key ids that are not revoked. */
  readonly keys: readonly string[];
  readonly requested: string | null;
  readonly shredded: string | null;
}

function evolve(state: ShreddingState, event: Recorded): ShreddingState {
  const id = parseStream(event.stream).id ?? '';
  switch (event.type) {
    case 'KeyCreated':
      return { ...state, keys: [...state.keys, id] };
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

function todo({ tenant, keys, requested, shredded }: ShreddingState): readonly Todo[] {
  const list: Todo[] = [];
  if (requested !== null)
    list.push({
      id: `shred:${requested}`,
      step: { kind: 'shred', tenant, revocation: requested },
    });
  if (shredded !== null)
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

/** From a requested shred to destroyed material and revoked keys. Subject: the tenant. */
export const shredding: Process<ShreddingState> = {
  name: 'shredding',
  version: 1,
  handles: ['KeyCreated', 'KeyRevoked', 'RevocationShredRequested', 'RevocationShredded'],
  subjects: ownerOf,
  initial: (tenant) => ({ tenant, keys: [], requested: null, shredded: null }),
  evolve,
  todo,
};
