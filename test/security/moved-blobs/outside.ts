import {
  aeskwWrap,
  credentialsContext,
  hpkeGenerate,
  hpkeOpen,
  hpkeSeal,
  Secret,
} from '@kcm/crypto';
import { canonicalJson, Deadline, LeaseClock, systemClock, systemRandom } from '@kcm/kernel';
import { attribute, KCM, wrappedAesKey, wrappedKeyPlaintext } from '@kcm/kmip';
import { GcWitness } from '@kcm/edge';
import { CACHED } from '@kcm/testing/edge';
import { unwrap, wrap } from '../../../apps/keystore/cipher.js';
import { leaseFrom } from '../../../libs/edge/core/kmip-answers.js';
import { blobHeader, parseBlob, type Purpose } from '../../../libs/edge/records/blob.js';
import { L3Handle } from '../../../libs/edge/records/l3-handle.js';
import { type BlobKind, type Identity, number, PLAIN, text } from './kind.js';

const lease = (as: Identity) => ({
  ok: true as const,
  uid: `${text(as, 'tenant')}/${text(as, 'key')}/${number(as, 'version')}`,
  seconds: 60,
  access: 'open' as const,
  state: 'active' as const,
  replaced: false,
  mayProtect: true,
  mayProcess: true,
  mayExport: false,
  term: Number(as['term'] ?? 1),
  epoch: Number(as['epoch'] ?? 1),
  grantId: 'grant-1',
});

const L3 = Buffer.alloc(32, 0x55);
const clock = new LeaseClock(systemClock);
/** One and the same L3 whatever the identity: derivation and AAD alone must refuse. */
const handleOf = (as: Identity): L3Handle =>
  new L3Handle(
    {
      ...lease(as),
      key: text(as, 'key'),
      version: number(as, 'version'),
      policy: CACHED,
      l3: Secret.copy(L3),
    },
    text(as, 'tenant'),
    text(as, 'service'),
    new Deadline(clock, clock.reading(), 60_000),
    { random: systemRandom, witness: new GcWitness(null), now: () => systemClock.monotonicMs() },
  );
const RECORD: Identity = {
  tenant: 'acme',
  service: 'billing',
  key: 'l3-a',
  version: 3,
  context: canonicalJson({ invoice: '42' }),
};
const record: BlobKind = {
  name: 'an encrypted record',
  sealedIn: 'libs/edge/records/l3-handle.ts',
  own: RECORD,
  others: {
    tenant: ['bank', 'acmeb'],
    service: ['mail', 'illing'],
    key: ['l3-b', 'l3-a1'],
    version: [4, 13],
    context: ['{}', canonicalJson({ invoice: '43' }), canonicalJson({ invoice: '42', x: '' })],
  },
  seal: async () => ({
    blob: handleOf(RECORD).seal(PLAIN, text(RECORD, 'context')),
    open: async (as, blob) => handleOf(as).open(parseBlob(blob), text(as, 'context')),
  }),
  rewritten: (blob, as) => {
    const { salt, sealed } = parseBlob(blob);
    const header = blobHeader('record', text(as, 'key'), number(as, 'version'), salt);
    return Buffer.concat([header, sealed]);
  },
  refusals: ['decryption_failed'],
};

const DATA_KEY: Identity = { ...RECORD, id: 'aa', purpose: 'dataKey' };
const purposeOf = (as: Identity) => text(as, 'purpose') as Purpose;
const idOf = (as: Identity) => Buffer.from(text(as, 'id').repeat(16), 'hex');
const dataKey: BlobKind = {
  ...record,
  name: 'a data key that its caller keeps',
  own: DATA_KEY,
  others: { ...record.others, id: ['bb'], purpose: ['record'] },
  said: ['id'],
  seal: async () => ({
    blob: handleOf(DATA_KEY).seal(PLAIN, text(DATA_KEY, 'context'), idOf(DATA_KEY)),
    open: async (as, blob) =>
      handleOf(as).open(parseBlob(blob, purposeOf(as)), text(as, 'context')),
  }),
  rewritten: (blob, as) => {
    const { salt, sealed } = parseBlob(blob, 'dataKey');
    const header = blobHeader(purposeOf(as), text(as, 'key'), number(as, 'version'), salt);
    const id = purposeOf(as) === 'dataKey' ? [idOf(as)] : [];
    return Buffer.concat([header, ...id, sealed]);
  },
};

const LEASED: Identity = {
  tenant: 'acme',
  key: 'l3-0123456789ab',
  version: 3,
  term: 1,
  epoch: 5,
  kwk: 1,
};
const kwkOf = (as: Identity): Secret => Secret.copy(Buffer.alloc(32, number(as, 'kwk')));
const wrappedLease: BlobKind = {
  name: 'a service key on its way to an Edge',
  sealedIn: 'apps/core/kmip/lease-handlers.ts',
  own: LEASED,
  others: {
    tenant: ['bank'],
    key: ['l3-0123456789ac'],
    version: [4, 13],
    term: [2, 0],
    epoch: [4, 6],
    kwk: [2],
  },
  seal: async () => {
    const of = lease(LEASED);
    const inside = { ...of, tenant: 'acme', version: 3 };
    const plain = Secret.own(wrappedKeyPlaintext(inside, PLAIN));
    return {
      blob: aeskwWrap(kwkOf(LEASED), plain),
      // All around the wrap says what was asked for: as a Core would that mixed up two keys.
      open: async (as, blob) => {
        const told = lease(as);
        const attributes = [
          attribute.text('Object Group', text(as, 'tenant')),
          attribute.integer(KCM.version, number(as, 'version')),
        ];
        const got = { uniqueIdentifier: told.uid, object: wrappedAesKey(blob, 'kwk') };
        const answered = { uniqueIdentifier: told.uid, attributes };
        const { l3 } = leaseFrom(text(as, 'tenant'), told, answered, got, kwkOf(as));
        return l3.use((bytes) => Buffer.from(bytes));
      },
    };
  },
  refusals: ['WrongAnswer'],
};

const transport = hpkeGenerate();
const contextOf = (as: Identity) => {
  const { info, aad } = credentialsContext(text(as, 'tenant'), text(as, 'rootKey'));
  return { info: as['purpose'] === 'credentials' ? info : Buffer.from('another'), aad };
};
const CREDENTIALS: Identity = { tenant: 'acme', rootKey: 'rk-1', purpose: 'credentials' };
const credentials: BlobKind = {
  name: 'keystore credentials on their way to Core',
  sealedIn: 'libs/crypto/credentials.ts',
  own: CREDENTIALS,
  others: { tenant: ['bank', 'acmer'], rootKey: ['rk-2', 'k-1'], purpose: ['other'] },
  seal: async () => {
    const { info, aad } = contextOf(CREDENTIALS);
    return {
      blob: await hpkeSeal(transport.publicRaw, info, aad, PLAIN),
      open: (as, blob) => {
        const at = contextOf(as);
        return hpkeOpen(transport.privateKey, at.info, at.aad, blob);
      },
    };
  },
  refusals: ['decryption_failed'],
};

const SEED: Identity = { tenant: 'acme', key: 'l2-a', version: 1, id: 'aa', keyVersion: 1 };
const bindingOf = (as: Identity) => ({
  tenant: text(as, 'tenant'),
  key: text(as, 'key'),
  version: number(as, 'version'),
});
const rootKeyOf = (as: Identity) => ({
  id: `${text(as, 'id').repeat(4)}-0000-4000-8000-000000000000`,
  version: number(as, 'keyVersion'),
  material: Buffer.alloc(32, 0x66),
});
const seed: BlobKind = {
  name: 'a seed at the software keystore',
  sealedIn: 'apps/keystore/cipher.ts',
  own: SEED,
  others: {
    tenant: ['bank', 'acmel'],
    key: ['l2-b'],
    version: [2, 11],
    id: ['bb'],
    keyVersion: [2],
  },
  seal: async () => ({
    blob: wrap(rootKeyOf(SEED), PLAIN, bindingOf(SEED), systemRandom),
    open: async (as, blob) => unwrap(rootKeyOf(as), blob, bindingOf(as)),
  }),
  rewritten: (blob, as) => {
    const copy = Buffer.from(blob);
    copy.write(rootKeyOf(as).id.replaceAll('-', ''), 1, 'hex');
    copy.writeUInt32BE(number(as, 'keyVersion'), 17);
    return copy;
  },
  refusals: ['integrity_failed'],
};

export const OUTSIDE: readonly BlobKind[] = [record, dataKey, wrappedLease, credentials, seed];
