import { MemoryBlobs } from '@kcm/testing';
import { adoptKeyrings, keepKeyrings } from './keyrings.js';

const path = (set: string) => `sys/keyring/${set}`;
const ring = (keys: number) => Buffer.alloc(64 + keys * 36, keys);

describe('The keyring in the erasure store', () => {
  let vault: MemoryBlobs;
  let erasure: MemoryBlobs;
  beforeEach(() => {
    [vault, erasure] = [new MemoryBlobs(), new MemoryBlobs()];
  });

  it('is that of the shares that count: none of a rekey under way, none that ended', async () => {
    for (const set of ['old', 'now', 'unproved']) await vault.put(path(set), ring(1));
    await erasure.put(path('old'), ring(1));
    await keepKeyrings(vault, erasure, { counting: 'now', retired: ['old'] });
    expect([...erasure.blobs.keys()]).toEqual([path('now')]);
    await keepKeyrings(vault, erasure, { counting: null, retired: [] });
    expect([...erasure.blobs.keys()]).toEqual([path('now')]);
  });

  it('follows a rotation, and is never replaced by an earlier one, which takes it over', async () => {
    const sets = { counting: 'now', retired: [] };
    await vault.put(path('now'), ring(2));
    await keepKeyrings(vault, erasure, sets);
    await vault.put(path('now'), ring(1));
    await keepKeyrings(vault, erasure, sets);
    expect(await erasure.get(path('now'))).toEqual(ring(2));
    expect(await adoptKeyrings(vault, erasure)).toBe(1);
    expect(await vault.get(path('now'))).toEqual(ring(2));
    expect(await adoptKeyrings(vault, erasure)).toBe(0);
  });
});
