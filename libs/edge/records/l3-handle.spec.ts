import { Deadline, LeaseClock, systemRandom, type Random } from '@kcm/kernel';
import { Secret } from '@kcm/crypto';
import { CACHED, SimClock } from '@kcm/testing/edge';
import { parseBlob } from './blob.js';
import type { CachePolicy, Lease } from '../core/core-port.js';
import { GcWitness } from '../leases/gc-witness.js';
import { L3Handle } from './l3-handle.js';
import { PooledRandom } from './pooled-random.js';

const L3 = Buffer.alloc(32, 7);
const PLAIN = Buffer.from('card 4711');

interface Identity {
  tenant: string;
  service: string;
  key: string;
  version: number;
}
const OURS: Identity = { tenant: 'acme', service: 'billing', key: 'l3-0123456789ab', version: 3 };
const clock = new SimClock();
const leases = new LeaseClock(clock);
const witness = new GcWitness();

function handle(
  identity: Identity = OURS,
  more: {
    policy?: CachePolicy;
    invocationsMax?: number;
    random?: Random;
    deadline?: Deadline;
  } = {},
): L3Handle {
  const lease: Lease = {
    ok: true,
    uid: `${identity.tenant}/${identity.key}/${identity.version}`,
    key: identity.key,
    version: identity.version,
    seconds: 60,
    access: 'open',
    state: 'active',
    replaced: false,
    mayProtect: true,
    mayProcess: true,
    mayExport: false,
    term: 1,
    epoch: 1,
    grantId: 'grant-1',
    policy: more.policy ?? CACHED,
    l3: Secret.copy(L3),
  };
  return new L3Handle(
    lease,
    identity.tenant,
    identity.service,
    more.deadline ?? new Deadline(leases, leases.reading(), 60_000),
    {
      random: more.random ?? new PooledRandom(systemRandom),
      witness,
      now: clock.monotonicMs,
      ...(more.invocationsMax === undefined ? {} : { subkeyInvocationsMax: more.invocationsMax }),
    },
  );
}
const refusedAs = (code: string) => expect.objectContaining({ code });
const saltOf = (record: Buffer): string => parseBlob(record).salt.toString('hex');
const ivOf = (record: Buffer): string => parseBlob(record).sealed.toString('hex', 0, 12);

describe('A record', () => {
  it('opens under the identity and context that it was sealed for', () => {
    const record = handle().seal(PLAIN, '{"order":"1"}');
    expect(handle().open(parseBlob(record), '{"order":"1"}')).toEqual(PLAIN);
  });

  it('holds empty plaintexts and takes no context for the empty one', () => {
    const record = handle().seal(Buffer.alloc(0), null);
    expect(handle().open(parseBlob(record), '{}')).toHaveLength(0);
  });

  // The same L3 bytes stand behind every identity: the derivation and the AAD alone must refuse.
  it.each<[string, Partial<Identity>]>([
    ['tenant', { tenant: 'other' }],
    ['service', { service: 'mail' }],
    ['key', { key: 'l3-ba9876543210' }],
    ['version', { version: 4 }],
    ['a boundary between fields', { tenant: 'acmeb', service: 'illing' }],
  ])('moved to another %s is refused', (_what, changed) => {
    const theirs = { ...OURS, ...changed };
    const record = handle().seal(PLAIN, '{"a":"1"}');
    const blob = { ...parseBlob(record), key: theirs.key, version: theirs.version };
    expect(() => handle(theirs).open(blob, '{"a":"1"}')).toThrow(refusedAs('decryption_failed'));
  });

  it.each([null, '{}', '{"a":"2"}', '{"a":"1","b":""}', '{"a1":""}'])(
    'with the context %s instead of its own is refused',
    (context) => {
      const record = handle().seal(PLAIN, '{"a":"1"}');
      expect(() => handle().open(parseBlob(record), context)).toThrow(
        refusedAs('decryption_failed'),
      );
    },
  );

  it('with any one byte changed or cut off is refused in the same words', () => {
    const record = handle().seal(PLAIN, null);
    const ours = handle();
    const says = new Set<string>();
    for (let at = 0; at < record.length; at += 1) {
      const changed = Buffer.from(record);
      changed[at]! ^= 1 << (at % 8);
      for (const bytes of [changed, record.subarray(0, at)])
        try {
          ours.open(parseBlob(bytes), null);
          says.add(`opened at ${at}`);
        } catch (error) {
          says.add(JSON.stringify([(error as { code: string }).code, (error as Error).message]));
        }
    }
    expect([...says]).toEqual(['["decryption_failed","The ciphertext cannot be decrypted."]']);
  });
});

describe('A data key', () => {
  const KEY = Buffer.alloc(32, 9);
  const ID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
  const ID_AT = 23 + OURS.key.length;
  const wrappedOf = (bytes: Buffer) => parseBlob(bytes, 'dataKey');
  const refused = refusedAs('decryption_failed');
  let wrapped: Buffer;
  beforeEach(() => (wrapped = handle().seal(KEY, '{"a":"1"}', ID)));

  it('opens under its own identity, context and id', () => {
    expect(wrappedOf(wrapped).id).toEqual(ID);
    expect(handle().open(wrappedOf(wrapped), '{"a":"1"}')).toEqual(KEY);
    expect(() => handle().open(wrappedOf(wrapped), null)).toThrow(refused);
  });

  it.each<[string, Partial<Identity>]>([
    ['tenant', { tenant: 'other' }],
    ['service', { service: 'mail' }],
    ['key', { key: 'l3-ba9876543210' }],
    ['version', { version: 4 }],
  ])('moved to another %s is refused', (_what, changed) => {
    const theirs = { ...OURS, ...changed };
    const blob = { ...wrappedOf(wrapped), key: theirs.key, version: theirs.version };
    expect(() => handle(theirs).open(blob, '{"a":"1"}')).toThrow(refused);
  });

  it('with any one byte changed, its id among them, or cut off or added is refused', () => {
    const ours = handle();
    const opens = (bytes: Buffer): boolean => {
      try {
        ours.open(wrappedOf(bytes), '{"a":"1"}');
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'decryption_failed' });
        return false;
      }
    };
    expect(opens(wrapped)).toBe(true);
    for (let at = 0; at < wrapped.length; at += 1) {
      const changed = Buffer.from(wrapped);
      changed[at]! ^= 1 << (at % 8);
      expect([at, opens(changed), opens(wrapped.subarray(0, at))]).toEqual([at, false, false]);
    }
    expect(opens(Buffer.concat([wrapped, Buffer.alloc(1)]))).toBe(false);
  });

  // The same L3, identity, context and length: the purpose alone must refuse.
  it('is never taken for a record, nor a record for it, however it is dressed', () => {
    const ours = handle();
    const record = ours.seal(KEY, '{"a":"1"}');
    expect(() => wrappedOf(record)).toThrow(refused);
    expect(() => parseBlob(wrapped)).toThrow(refused);
    const asRecord = Buffer.concat([wrapped.subarray(0, ID_AT), wrapped.subarray(ID_AT + 16)]);
    asRecord[1] = 1;
    const asDataKey = Buffer.concat([record.subarray(0, ID_AT), ID, record.subarray(ID_AT)]);
    asDataKey[1] = 2;
    const renamed = Buffer.from(wrapped);
    renamed[1] = 1;
    for (const bytes of [asRecord, renamed])
      expect(() => ours.open(parseBlob(bytes), '{"a":"1"}')).toThrow(refused);
    expect(() => ours.open(wrappedOf(asDataKey), '{"a":"1"}')).toThrow(refused);
    const emptyId = { ...wrappedOf(wrapped), id: Buffer.alloc(0) };
    expect(() => ours.open(emptyId, '{"a":"1"}')).toThrow(refused);
  });

  it('takes salts of its own, by the same limit and policy, and goes with its lease', () => {
    const limited = handle(OURS, { invocationsMax: 2 });
    const salts = Array.from({ length: 4 }, () =>
      wrappedOf(limited.seal(KEY, null, ID)).salt.toString('hex'),
    );
    const records = Array.from({ length: 2 }, () => saltOf(limited.seal(KEY, null)));
    expect(new Set(salts).size).toBe(2);
    expect(new Set([...salts, ...records]).size).toBe(3);
    limited.drop();
    expect(() => limited.open(wrappedOf(wrapped), null)).toThrow(refusedAs('lease_expired'));
  });
});

describe('Salts and nonces', () => {
  it('take a new salt by themselves at the limit of invocations', () => {
    const limited = handle(OURS, { invocationsMax: 3 });
    const salts = Array.from({ length: 7 }, () => saltOf(limited.seal(PLAIN, null)));
    expect(new Set(salts).size).toBe(3);
    expect(salts[0]).toBe(salts[2]);
    expect(salts[2]).not.toBe(salts[3]);
  });

  it('are taken no later for what a policy or a setting says', () => {
    const wide = { ...CACHED, maxUses: Infinity };
    expect(handle(OURS, { invocationsMax: 2 ** 40 }).invocationsMax).toBe(0xe6666666);
    const limited = handle(OURS, { policy: wide, invocationsMax: 2 });
    const salts = Array.from({ length: 4 }, () => saltOf(limited.seal(PLAIN, null)));
    expect(new Set(salts).size).toBe(2);
  });

  it('draw the IV from the pool without ever handing out a byte twice', () => {
    let counter = 0;
    const counting: Random = {
      bytes: (length) => {
        const bytes = Buffer.alloc(length);
        for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE((counter += 1), at);
        return bytes;
      },
    };
    const pooled = handle(OURS, { random: new PooledRandom(counting) });
    const ivs = Array.from({ length: 3_000 }, () => ivOf(pooled.seal(PLAIN, null)));
    const words = ivs.flatMap((iv) => [iv.slice(0, 8), iv.slice(8, 16), iv.slice(16)]);
    expect(new Set(words).size).toBe(9_000);
  });
});

describe('The cache policy', () => {
  const salts = (of: L3Handle, n: number, between: () => void = () => undefined): number =>
    new Set(
      Array.from({ length: n }, () => {
        between();
        return saltOf(of.seal(PLAIN, null));
      }),
    ).size;

  it('off: a data key for each operation', () => {
    expect(salts(handle(OURS, { policy: { ...CACHED, off: true } }), 20)).toBe(20);
  });
  it('maxUses: a new data key after so many', () => {
    expect(salts(handle(OURS, { policy: { ...CACHED, maxUses: 5 } }), 20)).toBe(4);
  });
  it('maxAgeSeconds: a new data key however much it is used', () => {
    const aging = handle(OURS, { policy: { ...CACHED, maxAgeSeconds: 2 } });
    const tick = (): void => {
      clock.advance(500);
      leases.tick();
    };
    expect(salts(aging, 12, tick)).toBe(3);
  });
  it('ttlSeconds: a new data key after a rest', () => {
    const resting = handle(OURS, { policy: { ...CACHED, ttlSeconds: 1 } });
    const first = saltOf(resting.seal(PLAIN, null));
    clock.advance(900);
    leases.tick();
    expect(saltOf(resting.seal(PLAIN, null))).toBe(first);
    clock.advance(900);
    leases.tick();
    clock.advance(200);
    leases.tick();
    expect(saltOf(resting.seal(PLAIN, null))).not.toBe(first);
  });
});

describe('The end of the lease', () => {
  it('while the cipher runs gives nothing out, neither record nor plaintext', () => {
    const record = parseBlob(handle().seal(PLAIN, null));
    for (const use of ['seal', 'open'] as const) {
      let looks = 0;
      const ends = {
        get live() {
          return (looks += 1) === 1;
        },
      } as Deadline;
      const ours = handle(OURS, { deadline: ends });
      const act = () => (use === 'seal' ? ours.seal(PLAIN, null) : ours.open(record, null));
      expect(act).toThrow(refusedAs('lease_expired'));
      expect(looks).toBe(2);
    }
  });
});

describe('A dropped handle', () => {
  it('neither seals nor opens', () => {
    const ours = handle();
    const record = parseBlob(ours.seal(PLAIN, null));
    ours.drop();
    expect(ours.dropped).toBe(true);
    expect(() => ours.seal(PLAIN, null)).toThrow(refusedAs('lease_expired'));
    expect(() => ours.open(record, null)).toThrow(refusedAs('lease_expired'));
  });

  it('leaves no key handle behind a collection, and one that is still held is not denied', async () => {
    const ours = handle();
    const record = parseBlob(ours.seal(PLAIN, null));
    ours.open(record, null);
    expect(ours.witnessed.alive).toBe(2);
    expect(await witness.confirm([ours.witnessed])).toBe(false);
    ours.drop();
    expect(await witness.confirm([ours.witnessed])).toBe(true);
  });

  it('claims no erasure where the collector cannot be asked', async () => {
    const blind = new GcWitness(null);
    expect(await blind.confirm([])).toBe(false);
  });
});
