import { l3KeyId } from '@kcm/custody';
import { defaultPolicy, type UsageEntry } from '@kcm/domain';
import { keyVersionUid, streamOf } from '@kcm/kernel';
import { SimWorld } from './world.js';

const MINUTE_MS = 60_000;
const POLICY = {
  ...defaultPolicy,
  rotation: {
    ...defaultPolicy.rotation,
    L3: { maxAgeSeconds: null, maxUses: null, retireAfterSeconds: 600 },
  },
};
const ACME = 'acme';
const KEY = l3KeyId(ACME, 'billing');
const L3 = streamOf('key', ACME, KEY);
const of = { tenant: ACME, key: KEY, version: 1 } as const;

/** A tenant whose service has two versions; three records hang from the first, and an Edge told all. */
class Retiring extends SimWorld {
  #seq = 0;

  async play(): Promise<void> {
    await this.begin();
    await this.until(
      this.run('edge', streamOf('edge', 'local', 'e1'), {
        kind: 'EnrolEdge',
        services: ['billing'],
        certificateSha256: 'ab'.repeat(32),
        notAfter: '2099-01-01T00:00:00.000Z',
      }),
    );
    await this.until(this.onboard(ACME, POLICY));
    await this.rest();
    const holder = { edge: 'e1', boot: 'b' };
    const asked = this.keys.desk.lease(holder, keyVersionUid(of), 'grant', 10);
    await this.until(asked);
    const lease = await asked;
    if (!lease.ok) throw new Error(lease.code);
    await this.until(this.run('key', L3, { kind: 'RequestRotation', operation: 'op' }));
    await this.rest();
    await this.told([{ operation: 'encrypt', ok: 3 }], lease.grantId);
    await this.rest();
  }

  async told(entries: readonly Partial<UsageEntry>[], closing?: string): Promise<void> {
    this.#seq += 1;
    const report = this.keys.usage.record({
      holder: 'edge:e1',
      boot: 'b',
      seq: this.#seq,
      from: '2030-01-01T00:00:00.000Z',
      to: '2030-01-01T00:00:10.000Z',
      entries: entries.map((entry) => ({ ...of, refused: {}, bytes: 0, ...entry }) as UsageEntry),
      ...(closing !== undefined && {
        closed: [{ uid: keyVersionUid(of), grantId: closing }],
      }),
      statement: 'a.b.c',
    });
    await this.until(report);
    await this.rest();
  }

  async minutes(minutes: number): Promise<void> {
    for (let at = 0; at < minutes; at += 1) {
      await this.time.advance(MINUTE_MS);
      await this.rest();
    }
  }
  get ends(): readonly string[] {
    return this.ledger.types(L3).filter((type) => /Destr|Destroyed|Erased/.test(type));
  }
  get blobs(): readonly string[] {
    return [...this.vault.blobs.keys()].filter((path) => path.startsWith(`l3/${ACME}/${KEY}/1/`));
  }
}

describe('A version under a policy that retires it after ten minutes', () => {
  it('stays while anything hangs from it; when all was moved it goes by itself, and its material', async () => {
    const world = new Retiring(7);
    await world.play();
    await world.minutes(12);
    expect(world.ends).toEqual([]);
    await world.told([{ operation: 'rewrapFrom', ok: 3, moved: ['a', 'b', 'c'] }]);
    await world.minutes(1);
    expect(world.ends).toEqual([
      'KeyDestructionRequested',
      'KeyVersionDestroyed',
      'KeyVersionErased',
    ]);
    expect(world.blobs).toEqual([]);
    expect(world.broken).toEqual([]);
  });

  it('does not go before that, though nothing hangs from it', async () => {
    const world = new Retiring(8);
    await world.play();
    await world.told([{ operation: 'rewrapFrom', ok: 3, moved: ['a', 'b', 'c'] }]);
    await world.minutes(8);
    expect(world.ends).toEqual([]);
    expect(world.blobs).toHaveLength(1);
    await world.minutes(4);
    expect(world.ends.at(-1)).toBe('KeyVersionErased');
  });
});
