import type { RevocationState } from '@kcm/domain';
import { systemRandom } from '@kcm/kernel';
import { MemoryBlobs } from '@kcm/testing';
import { assertErasureStoreIsOurs, assertLedgerIsTheirs, findLosses } from './stores.js';

const stores = () => ({
  vault: new MemoryBlobs(),
  erasure: new MemoryBlobs(),
  directory: new MemoryBlobs(),
});
const bytes = Buffer.from('x');

describe('The erasure store of a Core that runs apart', () => {
  it('is the region’s one: a second Core with a folder of its own is refused, also the first time', async () => {
    const { vault, erasure } = stores();
    await assertErasureStoreIsOurs({ vault, erasure }, systemRandom);
    await assertErasureStoreIsOurs({ vault, erasure }, systemRandom);
    const second = { vault, erasure: new MemoryBlobs() };
    for (let attempt = 0; attempt < 2; attempt += 1)
      await expect(assertErasureStoreIsOurs(second, systemRandom)).rejects.toMatchObject({
        code: 'integrity',
      });
    const [one, other] = [new MemoryBlobs(), new MemoryBlobs()];
    const shared = new MemoryBlobs();
    const both = await Promise.allSettled(
      [one, other].map((mine) =>
        assertErasureStoreIsOurs({ vault: shared, erasure: mine }, systemRandom),
      ),
    );
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('The stores beside a ledger', () => {
  it('that knows of no region may hold what a start that was cut off left, but no tenant’s key', async () => {
    const { vault } = stores();
    await vault.put('sys/keyring/1', bytes);
    await assertLedgerIsTheirs({ vault });
    await vault.put('l2/acme/l2-1/1/d1', bytes);
    await expect(assertLedgerIsTheirs({ vault })).rejects.toMatchObject({ code: 'integrity' });
  });

  it('are told by name and number when they lack what a tenant’s key needs', async () => {
    const all = stores();
    for (const tenant of ['acme', 'globex']) {
      await all.vault.put(`l2/${tenant}/l2-1/1/d1`, bytes);
      await all.erasure.put(`tek/${tenant}`, bytes);
      await all.directory.put(`name/${tenant}`, bytes);
    }
    const shredding = new Set<string>();
    const view = {
      revocations: (tenant: string) =>
        new Map(shredding.has(tenant) ? [['r', { status: 'shredding' } as RevocationState]] : []),
    };
    expect(await findLosses(all, view)).toEqual([]);
    await all.erasure.erase('tek/acme');
    await all.directory.erase('name');
    expect(await findLosses(all, view)).toMatchObject([
      {
        dependency: 'erasure-store',
        code: 'erasure_keys_missing',
        detail: expect.stringMatching(/^1 of 2 /),
      },
      { dependency: 'directory', code: 'names_missing', detail: expect.stringMatching(/^2 of 2 /) },
    ]);
    // Killed in the middle of a shred: nobody is told to put its erasure key back.
    shredding.add('acme');
    const told = (await findLosses(all, view)).map(({ code }) => code);
    expect(told).toEqual(['names_missing']);
  });
});
