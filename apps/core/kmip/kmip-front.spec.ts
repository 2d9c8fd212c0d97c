import { createPrivateKey, randomUUID } from 'node:crypto';
import { aeskwUnwrap, Secret, signJws } from '@kcm/crypto';
import type { L3Lease, LeaseRefusal } from '@kcm/custody';
import {
  type AccessState,
  defaultPolicy,
  type EdgeState,
  type KeyState,
  type Lock,
  type TenantState,
} from '@kcm/domain';
import { KcmError, systemRandom, type Json } from '@kcm/kernel';
import {
  attribute,
  Attributes,
  BatchErrorContinuation,
  EncodingOption,
  KCM,
  KmipFailure,
  LEASE_ATTRIBUTES,
  leaseWrapping,
  LinkType,
  plainAesKey,
  pong,
  QueryFunction,
  readWrappedKeyPlaintext,
  RENEWAL_ATTRIBUTES,
  ResultReason,
  RevocationReasonCode,
  serviceKeyName,
  State,
  UsageMask,
  type AckStatement,
  type ResponseOf,
  type UsageStatement,
} from '@kcm/kmip';
import { KmipClient, KmipUnavailable, PushListener } from '@kcm/kmip/client';
import { BILLING, refused, TestDesk } from '@kcm/testing/lease-desk';
import { TestAuthority, type TestCertificate } from '@kcm/testing/tls';
import { KmipFront, type KmipFrontParts, type Signed } from './index.js';

const BOOT = 'boot-00000001';
const L2 = 'acme/l2-000000000002/1';
const { uid: L3, oldUid: OLD, policy: POLICY } = BILLING;

let authority: TestAuthority;
let own: TestCertificate;
let edge: TestCertificate;
beforeAll(async () => {
  authority = await TestAuthority.create();
  [own, edge] = await Promise.all([authority.server(), authority.edge('e1')]);
});

class Core implements AsyncDisposable {
  readonly desk = new TestDesk();
  readonly acks: Signed<AckStatement>[] = [];
  readonly usage: Signed<UsageStatement>[] = [];
  readonly cloned: string[] = [];
  readonly turnedAway: string[] = [];
  readonly errors: unknown[] = [];
  readonly #open: AsyncDisposable[] = [];
  enrolled = edge.sha256;
  revoked = false;
  access: AccessState = { status: 'open', term: 1, epoch: 4 };
  record: () => Promise<void> = () => Promise.resolve();
  front!: KmipFront;

  async start(): Promise<this> {
    const parts: KmipFrontParts = {
      region: 'local',
      desk: this.desk,
      view: {
        edge: (id): EdgeState => {
          if (id !== 'e1') return { status: 'absent' };
          if (this.revoked) return { status: 'revoked' };
          return {
            status: 'enrolled',
            services: ['billing'],
            certificateSha256: this.enrolled,
            notAfter: '2100-01-01T00:00:00.000Z',
          };
        },
        tenant: (id): TenantState =>
          id === 'acme'
            ? {
                status: 'active',
                homeRegion: 'local',
                policy: { ...defaultPolicy, leaseSeconds: 10, cache: POLICY },
                services: new Set(['billing']),
              }
            : { status: 'absent' },
        access: () => this.access,
        keys: (id) => new Map<string, KeyState>(id === 'acme' ? KEYS : []),
      },
      credentials: own,
      host: '127.0.0.1',
      port: 0,
      wallMs: () => Date.now(),
      random: systemRandom,
      onAcknowledgement: async (ack) => {
        await this.record();
        this.acks.push(ack);
      },
      onUsage: async (usage) => {
        await this.record();
        this.usage.push(usage);
      },
      onCloned: (id, boot) => this.cloned.push(`${id}/${boot}`),
      onRefused: (why) => this.turnedAway.push(why),
      onError: (error) => this.errors.push(error),
    };
    this.front = await KmipFront.start(parts);
    return this;
  }

  options(certificate: TestCertificate = edge) {
    return { host: '127.0.0.1', port: this.front.port, ...certificate, ca: authority.ca };
  }

  async connect(certificate = edge): Promise<KmipClient> {
    const client = await KmipClient.connect(this.options(certificate));
    this.#open.push(client);
    return client;
  }

  async boot(kwk: Secret, name = BOOT): Promise<{ client: KmipClient; kwkUid: string }> {
    const client = await this.connect();
    return { client, kwkUid: await register(client, kwk, name) };
  }

  /** Resolves once Core knows whose boot it is. */
  async push(boot = BOOT, notify: () => void | Promise<void> = () => undefined) {
    let known = (): void => undefined;
    const asked = new Promise<void>((resolve) => (known = resolve));
    const notices: ResponseOf<'GetAttributes'>[] = [];
    const listener = await PushListener.connect({
      ...this.options(),
      wallMs: () => Date.now(),
      newCorrelationId: randomUUID,
      onError: (error) => this.errors.push(error),
      handlers: {
        Query: () => {
          setImmediate(known);
          return pong(boot);
        },
        Notify: async (notice) => {
          notices.push(notice);
          await notify();
          return {};
        },
      },
    });
    this.#open.push(listener);
    let over = false;
    void listener.closed.then(() => (over = true));
    await Promise.race([asked, listener.closed]);
    await until(() => over || this.front.reachable('e1', boot));
    return { listener, notices };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open) await one[Symbol.asyncDispose]();
    await this.front.close();
  }
}
const KEYS: [string, KeyState][] = [
  ['l2-000000000002', { ...base(), level: 'L2', service: null, current: 1 }],
  ['l3-0123456789ab', { ...base(), level: 'L3', service: 'billing', current: 2 }],
];
function base() {
  return { status: 'active', parent: 'x', versions: [] } as const;
}

const register = async (client: KmipClient, kwk: Secret, boot = BOOT): Promise<string> =>
  (
    await kwk.use((material) =>
      client.call('Register', {
        attributes: [
          attribute.integer('Cryptographic Usage Mask', UsageMask.WrapKey),
          attribute.date('Activation Date', 0),
          attribute.text(KCM.boot, boot),
        ],
        object: plainAesKey(material),
      }),
    )
  ).uniqueIdentifier;

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setImmediate(resolve));
}

const newKwk = (): Secret => Secret.own(systemRandom.bytes(32));
const leaseBatch = (kwkUid: string, name = serviceKeyName('acme', 'billing')) =>
  [
    {
      operation: 'Locate',
      payload: {
        maximumItems: 2,
        attributes: [attribute.objectName(name), attribute.enumeration('State', State.Active)],
      },
    },
    { operation: 'ObtainLease', payload: {} },
    { operation: 'GetUsageAllocation', payload: { count: 1000n } },
    { operation: 'GetAttributes', payload: { attributeNames: LEASE_ATTRIBUTES } },
    { operation: 'Get', payload: { keyWrappingSpecification: leaseWrapping(kwkUid) } },
  ] as const;
const reasons = (results: readonly ({ ok: true } | { ok: false; failure: KmipFailure })[]) =>
  results.map((result) => (result.ok ? 'ok' : result.failure.reasonName));
const sign = (statement: Json, with_ = edge): string =>
  signJws(createPrivateKey(with_.privateKey), {}, statement);

describe('the lease', () => {
  it('is one batch: the key comes wrapped under the boot’s key with its identity inside', async () => {
    await using core = await new Core().start();
    using kwk = newKwk();
    const { client, kwkUid } = await core.boot(kwk);
    const { results } = await client.batch(leaseBatch(kwkUid));
    const [located, lease, allocated, answered, got] = results;
    expect(located).toMatchObject({ payload: { locatedItems: 1, uniqueIdentifiers: [L3] } });
    expect(lease).toMatchObject({ payload: { uniqueIdentifier: L3, leaseTime: 9 } });
    expect(allocated.ok).toBe(true);
    if (!answered.ok || !got.ok) throw new Error('refused');
    const attributes = new Attributes(answered.payload.attributes);
    expect(answered.payload.attributes.map(({ name }) => name).toSorted()).toEqual(
      LEASE_ATTRIBUTES.filter(
        (name) => name !== 'Protect Stop Date' && name !== KCM.processing,
      ).toSorted(),
    );
    expect(attributes.number('State')).toBe(State.Active);
    expect(attributes.link(LinkType.ReplacedObjectLink)).toBe(OLD);
    expect(attributes.text(KCM.access)).toBe('open');
    expect(attributes.text(KCM.grant)).toBe('grant-1');
    expect(attributes.text(KCM.providerRequest)).toBe('their-1');
    expect(attributes.number(KCM.cacheTtl)).toBe(5);
    const { value } = got.payload.object.keyBlock;
    if (!('wrapped' in value)) throw new Error('in the clear');
    using plaintext = aeskwUnwrap(kwk, value.wrapped);
    plaintext.use((bytes) => {
      const { identity, material } = readWrappedKeyPlaintext(bytes);
      expect(identity).toEqual({ uid: L3, tenant: 'acme', version: 2, term: 1, epoch: 4 });
      expect(core.desk.key.use((key) => key.equals(material))).toBe(true);
    });
    expect(core.desk.asked).toEqual([
      { edge: 'e1', boot: BOOT, uid: L3, kind: 'grant', allocation: 1000 },
    ]);
  });

  it('is renewed without a Get, each key of a batch for itself', async () => {
    await using core = await new Core().start();
    const { client } = await core.boot(newKwk());
    const { results } = await client.batch(
      [L3, 'globex/l3-0123456789ab/1', OLD].flatMap((uniqueIdentifier) => [
        { operation: 'ObtainLease' as const, payload: { uniqueIdentifier } },
        {
          operation: 'GetAttributes' as const,
          payload: { uniqueIdentifier, attributeNames: RENEWAL_ATTRIBUTES },
        },
      ]),
      { continuation: BatchErrorContinuation.Continue },
    );
    expect(reasons(results)).toEqual(['ok', 'ok', 'ItemNotFound', 'IllegalOperation', 'ok', 'ok']);
    expect(core.desk.asked).toEqual([
      expect.objectContaining({ uid: L3, kind: 'renew', allocation: null }),
      expect.objectContaining({ uid: 'globex/l3-0123456789ab/1' }),
      expect.objectContaining({ uid: OLD, kind: 'renew', allocation: null }),
    ]);
  });

  it('of an old version only decrypts', async () => {
    await using core = await new Core().start();
    const { client, kwkUid } = await core.boot(newKwk());
    const target = { uniqueIdentifier: OLD };
    const { results } = await client.batch([
      { operation: 'ObtainLease', payload: target },
      { operation: 'GetAttributes', payload: { ...target, attributeNames: [] } },
      {
        operation: 'Get',
        payload: { ...target, keyWrappingSpecification: leaseWrapping(kwkUid) },
      },
      { operation: 'GetUsageAllocation', payload: { ...target, count: 1n } },
    ]);
    expect(reasons(results)).toEqual(['ok', 'ok', 'ok', 'IllegalOperation']);
    const [, answered] = results;
    const attributes = new Attributes(answered.ok ? answered.payload.attributes : []);
    expect(attributes.number('Protect Stop Date')).not.toBeNull();
    expect(attributes.link(LinkType.ReplacementObjectLink)).toBe(L3);
    expect(attributes.objectName()).toBeNull();
  });

  it.each([
    ['pre-active', State.PreActive],
    ['active', State.Active],
    ['deactivated', State.Deactivated],
    ['compromised', State.Compromised],
    ['destroyed', State.Destroyed],
    ['destroyed-compromised', State.DestroyedCompromised],
  ] as const)('is located by the state that it is in: %s', async (state, told) => {
    await using core = await new Core().start();
    const { client } = await core.boot(newKwk());
    const name = attribute.objectName(serviceKeyName('acme', 'billing'));
    const found = async (wanted: readonly State[], storageStatusMask?: number) => {
      const { locatedItems } = await client.call('Locate', {
        attributes: [name, ...wanted.map((value) => attribute.enumeration('State', value))],
        ...(storageStatusMask === undefined ? {} : { storageStatusMask }),
      });
      return locatedItems;
    };
    core.desk.located = { ok: true, uid: L3, state, archived: false };
    const every = Object.values(State);
    const byState = await Promise.all(every.map((wanted) => found([wanted])));
    expect(every.filter((_, at) => byState[at] === 1)).toEqual([told]);
    expect([await found([]), await found([], 1), await found([], 2)]).toEqual([1, 1, 0]);
    core.desk.located = { ...core.desk.located, archived: true };
    expect([await found([]), await found([], 1), await found([], 2)]).toEqual([0, 0, 1]);
    expect(await found([told], 3)).toBe(1);
  });

  it('of a compromised version says so, since when, and what may be done with it', async () => {
    await using core = await new Core().start();
    const compromisedSince = '2031-05-01T00:00:00.000Z';
    const { client } = await core.boot(newKwk());
    for (const mayProcess of [true, false]) {
      core.desk.answer = { state: 'compromised', compromisedSince, mayProcess };
      const [lease, allocated, answered] = (
        await client.batch(
          [
            { operation: 'ObtainLease', payload: { uniqueIdentifier: L3 } },
            { operation: 'GetUsageAllocation', payload: { uniqueIdentifier: L3, count: 1n } },
            { operation: 'GetAttributes', payload: { uniqueIdentifier: L3, attributeNames: [] } },
          ],
          { continuation: BatchErrorContinuation.Continue },
        )
      ).results;
      expect(lease.ok).toBe(true);
      expect(allocated).toMatchObject({
        failure: { reason: ResultReason.PermissionDenied, message: 'key_compromised' },
      });
      const attributes = new Attributes(answered.ok ? answered.payload.attributes : []);
      expect(attributes.number('State')).toBe(State.Compromised);
      expect(attributes.number('Compromise Occurrence Date')).toBe(
        Date.parse(compromisedSince) / 1000,
      );
      expect(attributes.text(KCM.processing)).toBe(mayProcess ? 'allowed' : 'refused');
    }
  });

  it('of a read-only tenant only decrypts: no allocation, and the attributes say so', async () => {
    await using core = await new Core().start();
    core.desk.answer = { access: 'readOnly' };
    const { client, kwkUid } = await core.boot(newKwk());
    const [locate, obtain, allocate, attributes, get] = leaseBatch(kwkUid);
    const protecting = await client.batch([locate, obtain, allocate, attributes, get]);
    expect(protecting.results[1]).toMatchObject({
      failure: { reason: ResultReason.PermissionDenied, message: 'tenant_read_only' },
    });
    expect(protecting.results[4].ok).toBe(false);

    const { results } = await client.batch([locate, obtain, attributes, get]);
    expect(reasons(results)).toEqual(['ok', 'ok', 'ok', 'ok']);
    const [, , answered] = results;
    const seen = new Attributes(answered.ok ? answered.payload.attributes : []);
    expect(seen.text(KCM.access)).toBe('readOnly');
    expect(seen.number('State')).toBe(State.Active);
    const stop = seen.number('Protect Stop Date')!;
    expect(Math.abs(stop * 1000 - Date.now())).toBeLessThan(60_000);
    // It is the current one all the same.
    expect(seen.link(LinkType.ReplacementObjectLink)).toBeNull();

    // Nor is anything allocated by itself, on the lease that decrypts.
    const target = { uniqueIdentifier: L3 };
    const later = await client.batch([
      { operation: 'ObtainLease', payload: target },
      { operation: 'GetAttributes', payload: { ...target, attributeNames: [KCM.access] } },
      { operation: 'GetUsageAllocation', payload: { ...target, count: 1n } },
    ]);
    expect(reasons(later.results)).toEqual([
      'PermissionDenied',
      'OperationCanceledByRequester',
      'OperationCanceledByRequester',
    ]);
  });

  it.each<[LeaseRefusal | Error | Partial<L3Lease>, ResultReason, string]>([
    [refused('tenant_killed'), ResultReason.PermissionDenied, 'tenant_killed'],
    [refused('root_key_disabled'), ResultReason.PermissionDenied, 'root_key_disabled'],
    [refused('forbidden'), ResultReason.ItemNotFound, 'not_found'],
    [refused('not_found'), ResultReason.ItemNotFound, 'not_found'],
    [
      refused('root_key_unreachable', 'indeterminate'),
      ResultReason.GeneralFailure,
      'root_key_unreachable: indeterminate',
    ],
    [
      new KcmError('ledger_unavailable', 'full'),
      ResultReason.GeneralFailure,
      'ledger_unavailable: indeterminate',
    ],
    [new Error('a bug'), ResultReason.GeneralFailure, 'internal error'],
    [{ seconds: 0 }, ResultReason.GeneralFailure, 'lease_expired: indeterminate'],
  ])('refused for %j answers %s', async (answer, reason, message) => {
    await using core = await new Core().start();
    core.desk.answer = answer;
    const { client, kwkUid } = await core.boot(newKwk());
    const { results } = await client.batch(leaseBatch(kwkUid));
    expect(results[1]).toMatchObject({ ok: false, failure: { reason, message } });
    expect(results[4].ok).toBe(false);
  });

  it('tells a foreign service and an unknown one apart in nothing', async () => {
    await using core = await new Core().start();
    const { client, kwkUid } = await core.boot(newKwk());
    const seen = [];
    for (const name of [
      serviceKeyName('globex', 'billing'),
      serviceKeyName('acme', 'secret'),
      'something else',
    ]) {
      const { results } = await client.batch(leaseBatch(kwkUid, name), {
        continuation: BatchErrorContinuation.Continue,
      });
      seen.push(
        JSON.stringify(results, (_key, value: unknown) =>
          value instanceof KmipFailure ? [value.reason, value.message] : value,
        ),
      );
    }
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toContain('"locatedItems":0');
    expect(core.desk.asked).toEqual([]);
    core.desk.located = refused('tenant_suspended');
    const { results } = await client.batch(leaseBatch(kwkUid));
    expect(reasons(results)[0]).toBe('PermissionDenied');
  });

  it('never lets a key out but wrapped as agreed, and an L2 not at all', async () => {
    await using core = await new Core().start();
    const { client, kwkUid } = await core.boot(newKwk());
    const agreed = leaseWrapping(kwkUid);
    const get = async (payload: object, uniqueIdentifier: string = L3) => {
      const { results } = await client.batch([
        { operation: 'ObtainLease', payload: { uniqueIdentifier: L3 } },
        { operation: 'Get', payload: { uniqueIdentifier, ...payload } },
      ]);
      return reasons(results)[1];
    };
    const wrap = (more: object) => get({ keyWrappingSpecification: { ...agreed, ...more } });
    expect(await wrap({})).toBe('ok');
    expect(await get({})).toBe('Sensitive');
    expect(await get({ keyWrapType: 1, keyWrappingSpecification: agreed })).toBe('Sensitive');
    expect(await get({ keyFormatType: 2, keyWrappingSpecification: agreed })).toBe(
      'KeyFormatTypeNotSupported',
    );
    expect(await wrap({ encodingOption: EncodingOption.NoEncoding })).toBe('EncodingOptionError');
    expect(
      await wrap({ encryptionKey: { uniqueIdentifier: 'kwk-other', blockCipherMode: 13 } }),
    ).toBe('ItemNotFound');
    expect(await wrap({ encryptionKey: { uniqueIdentifier: kwkUid, blockCipherMode: 9 } })).toBe(
      'FeatureNotSupported',
    );
    expect(await wrap({ attributeNames: ['Unique Identifier'] })).toBe('InvalidField');
    const named = { keyWrappingSpecification: agreed };
    expect(await get(named, L2)).toBe('NotExtractable');
    expect(await get(named, kwkUid)).toBe('NotExtractable');
    expect(await get(named, 'globex/l2-000000000002/1')).toBe('IllegalOperation');
    core.desk.held = refused('lease_expired', 'indeterminate');
    expect(await wrap({})).toBe('GeneralFailure');
    const alone = client.call('Get', { uniqueIdentifier: L3, ...named });
    await expect(alone).rejects.toMatchObject({ reason: ResultReason.IllegalOperation });
  });

  it('is not for a boot that has not registered, nor after it has stopped', async () => {
    await using core = await new Core().start();
    const client = await core.connect();
    const ask = () => client.call('ObtainLease', { uniqueIdentifier: L3 });
    await expect(ask()).rejects.toMatchObject({ reason: ResultReason.GeneralFailure });
    const kwkUid = await register(client, newKwk());
    await ask();
    const target = { uniqueIdentifier: kwkUid };
    await expect(client.call('Destroy', target)).rejects.toMatchObject({
      reason: ResultReason.IllegalOperation,
    });
    const { results } = await client.batch([
      {
        operation: 'Revoke',
        payload: { ...target, reason: { code: RevocationReasonCode.CessationOfOperation } },
      },
      { operation: 'Destroy', payload: target },
      { operation: 'GetAttributes', payload: { ...target, attributeNames: [] } },
    ]);
    expect(reasons(results)).toEqual(['ok', 'ok', 'IllegalOperation']);
    await expect(ask()).rejects.toMatchObject({ reason: ResultReason.GeneralFailure });
    await expect(client.call('Destroy', { uniqueIdentifier: L3 })).rejects.toMatchObject({
      reason: ResultReason.ItemNotFound,
    });
    expect(core.errors).toEqual([]);
  });
});

describe('who is let in', () => {
  it('an Edge with the certificate of its enrolment, in this region, while it is enrolled', async () => {
    await using core = await new Core().start();
    const versions = (client: KmipClient) => client.call('DiscoverVersions', { versions: [] });
    for (const wrong of [
      await authority.edge('e1'),
      await authority.edge('e2'),
      await authority.edge('e1', 'elsewhere'),
    ])
      await expect(core.connect(wrong).then(versions)).rejects.toThrow(KmipUnavailable);
    expect(core.turnedAway).toEqual(['not-admitted', 'not-admitted', 'not-admitted']);
    const client = await core.connect();
    await versions(client);
    await register(client, newKwk());
    const { listener } = await core.push();
    core.enrolled = '00';
    await core.front.revalidate();
    await Promise.all([client.closed, listener.closed]);
  });

  it('a revoked Edge is told that its own key has ended, answered nothing, and cut off', async () => {
    await using core = await new Core().start();
    using kwk = newKwk();
    const { client, kwkUid } = await core.boot(kwk);
    let dropped = (): void => undefined;
    const { listener, notices } = await core.push(
      BOOT,
      () => new Promise((resolve) => (dropped = resolve)),
    );
    core.revoked = true;
    const over = core.front.revalidate();
    await until(() => notices.length === 1);
    expect(notices[0]).toMatchObject({ uniqueIdentifier: kwkUid });
    expect(new Attributes(notices[0]!.attributes).number('State')).toBe(State.Deactivated);
    await expect(client.batch(leaseBatch(kwkUid))).rejects.toThrow(KmipUnavailable);
    dropped();
    await Promise.all([over, client.closed, listener.closed]);
    expect(core.desk.asked).toEqual([]);
  });

  it('a revoked Edge that does not answer is cut off all the same', async () => {
    await using core = await new Core().start();
    const { client } = await core.boot(newKwk());
    let answer = (): void => undefined;
    const { listener } = await core.push(BOOT, () => new Promise((resolve) => (answer = resolve)));
    core.revoked = true;
    await core.front.revalidate();
    await client.closed;
    await until(() => !core.front.reachable('e1', BOOT));
    answer();
    await listener.closed;
  });

  it('a workload may ask what there is, and nothing of leases', async () => {
    await using core = await new Core().start();
    const client = await core.connect(await authority.workload('acme', 'billing'));
    const { operations, capabilities } = await client.call('Query', {
      functions: [QueryFunction.QueryOperations, QueryFunction.QueryCapabilities],
    });
    expect(operations).toEqual([3, 8, 10, 11, 12, 13, 14, 16, 17, 19, 20, 24, 30]);
    expect(capabilities).toMatchObject({ batchContinue: true, batchUndo: false });
    await expect(register(client, newKwk())).rejects.toMatchObject({
      reason: ResultReason.PermissionDenied,
    });
    for (const uniqueIdentifier of [L3, 'unknown'])
      for (const operation of ['ObtainLease', 'Destroy'] as const)
        await expect(client.call(operation, { uniqueIdentifier })).rejects.toMatchObject({
          reason: ResultReason.PermissionDenied,
          message: 'forbidden',
        });
    await expect(client.call('Activate', {})).rejects.toMatchObject({
      reason: ResultReason.OperationNotSupported,
    });
    const push = await PushListener.connect({
      ...core.options(await authority.workload('acme', 'billing')),
      wallMs: () => 0,
      newCorrelationId: randomUUID,
      onError: () => undefined,
      handlers: {},
    });
    await push.closed;
  });

  it('a key-wrapping key that is one: AES-256, for wrapping alone, of a named boot', async () => {
    await using core = await new Core().start();
    const client = await core.connect();
    const mask = attribute.integer('Cryptographic Usage Mask', UsageMask.WrapKey);
    const named = attribute.text(KCM.boot, BOOT);
    const ask = (attributes: readonly ReturnType<typeof attribute.text>[], bytes = 32) =>
      client.call('Register', { attributes, object: plainAesKey(Buffer.alloc(bytes, 1)) });
    for (const asked of [
      ask([named]),
      ask([mask]),
      ask([mask, attribute.text(KCM.boot, '../x')]),
      ask([mask, named, attribute.text('y-kcm-epoch', '9')]),
      ask([mask, named], 16),
    ])
      await expect(asked).rejects.toMatchObject({ reason: ResultReason.InvalidField });
    expect((await ask([mask, named])).uniqueIdentifier).toMatch(/^kwk-/);
  });
});

describe('what an Edge states', () => {
  const ack: AckStatement = {
    boot: BOOT,
    uid: L3,
    term: 1,
    epoch: 5,
    refusedAt: '2030-01-01T00:00:00.000Z',
    erasedAt: 'dropped-unconfirmed',
    handles: 2,
  };
  const usage: UsageStatement = {
    boot: BOOT,
    seq: 1,
    previous: null,
    from: '2030-01-01T00:00:00.000Z',
    to: '2030-01-01T00:01:00.000Z',
    entries: [
      {
        tenant: 'acme',
        key: 'l3-0123456789ab',
        version: 2,
        operation: 'encrypt',
        ok: 3,
        refused: { lease_expired: 1 },
        bytes: 10,
      },
    ],
  };

  it('is taken when it is signed by its certificate’s key, and recorded before it is answered', async () => {
    await using core = await new Core().start();
    const { client, kwkUid } = await core.boot(newKwk());
    const state = (name: string, jws: string) =>
      client.call('ModifyAttribute', {
        uniqueIdentifier: kwkUid,
        attribute: attribute.text(name, jws),
      });
    const signed = sign({ ...ack });
    await state(KCM.ack, signed);
    const certificateSha256 = core.enrolled;
    const word = { edge: 'e1', boot: BOOT, statement: ack, jws: signed, certificateSha256 };
    expect(core.acks).toEqual([word]);
    await client.call('AddAttribute', {
      uniqueIdentifier: kwkUid,
      attribute: attribute.text(KCM.usage, sign(usage as unknown as Json)),
    });
    expect(core.usage[0]?.statement).toEqual(usage);
    core.record = () => Promise.reject(new KcmError('ledger_unavailable', 'full'));
    await expect(state(KCM.ack, signed)).rejects.toMatchObject({
      reason: ResultReason.GeneralFailure,
      message: 'ledger_unavailable: indeterminate',
    });
    core.record = () => Promise.reject(new KcmError('invalid_request', 'Too large.'));
    await expect(state(KCM.usage, sign(usage as unknown as Json))).rejects.toMatchObject({
      reason: ResultReason.InvalidField,
    });
    expect(core.acks).toHaveLength(1);
  });

  it('is refused when it is another’s, of another boot, of another form, or elsewhere', async () => {
    await using core = await new Core().start();
    const { client, kwkUid } = await core.boot(newKwk());
    const state = (name: string, jws: string, uniqueIdentifier = kwkUid) =>
      client.call('ModifyAttribute', { uniqueIdentifier, attribute: attribute.text(name, jws) });
    const wrong = { reason: ResultReason.InvalidField };
    const other = await authority.edge('e1');
    await expect(state(KCM.ack, sign({ ...ack }, other))).rejects.toMatchObject(wrong);
    await expect(state(KCM.ack, sign({ ...ack, boot: 'boot-2' }))).rejects.toMatchObject(wrong);
    await expect(state(KCM.ack, sign({ ...ack, more: 1 }))).rejects.toMatchObject(wrong);
    await expect(state(KCM.usage, sign({ ...ack }))).rejects.toMatchObject(wrong);
    await expect(state(KCM.ack, 'a.b.c')).rejects.toMatchObject(wrong);
    await expect(state(KCM.boot, 'other-boot')).rejects.toMatchObject(wrong);
    await expect(state(KCM.ack, sign({ ...ack }), L3)).rejects.toMatchObject({
      reason: ResultReason.ItemNotFound,
    });
    expect([core.acks, core.usage, core.errors]).toEqual([[], [], []]);
  });
});

describe('a report of use', () => {
  const used = { tenant: 'acme', key: 'l3-0123456789ab', version: 1, refused: {} };
  const moved = ['wJ3bK9x_0Qs', 'Tt-4mZ8hE2o'];
  const entry = { ...used, operation: 'rewrapFrom', ok: 2, bytes: 64, moved };
  const report = {
    boot: BOOT,
    seq: 1,
    previous: null,
    from: '2030-01-01T00:00:00.000Z',
    to: '2030-01-01T00:01:00.000Z',
  };
  const stated = async (core: Core, statement: object): Promise<void> => {
    const { client, kwkUid } = await core.boot(newKwk());
    const jws = sign(statement as Json);
    await client.call('ModifyAttribute', {
      uniqueIdentifier: kwkUid,
      attribute: attribute.text(KCM.usage, jws),
    });
  };

  it.each([
    ['names what was moved off a version', { entries: [entry] }],
    ['is the last one, with or without more to tell', { entries: [], last: true }],
  ])('%s', async (_what, told) => {
    await using core = await new Core().start();
    await stated(core, { ...report, ...told });
    expect(core.usage.map(({ statement }) => statement)).toEqual([{ ...report, ...told }]);
  });

  it.each([
    ['of nothing', { entries: [] }],
    ['that is not the last one and says so', { entries: [entry], last: false }],
    ['of an operation that there is not', { entries: [{ ...entry, operation: 'export' }] }],
    ['of moves by what moves nothing', { entries: [{ ...entry, operation: 'rewrapTo' }] }],
    ['of no moves', { entries: [{ ...entry, moved: [] }] }],
    ['of more moves than were made', { entries: [{ ...entry, ok: 1 }] }],
    ['of a move by another name', { entries: [{ ...entry, moved: ['a record'] }] }],
  ])('%s is refused', async (_what, told) => {
    await using core = await new Core().start();
    const wrong = { reason: ResultReason.InvalidField };
    await expect(stated(core, { ...report, ...told })).rejects.toMatchObject(wrong);
    expect(core.usage).toEqual([]);
  });
});

describe('push', () => {
  const change = { tenant: 'acme', access: 'locked', term: 1, epoch: 5 } as const;
  const endsAt = '2030-01-01T00:00:00.000Z';

  it('tells each holder and says who has refused, and when', async () => {
    await using core = await new Core().start();
    await core.boot(newKwk());
    const { notices, listener } = await core.push();
    core.desk.holding = [
      { edge: 'e1', boot: BOOT, endsAt },
      { edge: 'e1', boot: 'boot-of-before', endsAt },
    ];
    const told = await core.front.notify({ ...change, service: null });
    expect(told).toEqual([
      { edge: 'e1', boot: BOOT, endsAt, refusedAt: expect.any(String) },
      { edge: 'e1', boot: 'boot-of-before', endsAt, refusedAt: null },
    ]);
    await core.front.notify({ ...change, service: 'billing', access: 'killed', destroyed: true });
    const of = { tenant: 'acme', service: 'billing', term: 1, epoch: 5 };
    const state = State.Deactivated;
    await core.front.changed({ ...of, kind: 'takeover', replaced: OLD, state, replacement: L3 });
    await core.front.changed({
      ...of,
      kind: 'version',
      uid: L3,
      state: State.Compromised,
      archived: false,
    });
    await core.front.changed({ ...of, kind: 'version', uid: L3, state, archived: true });
    const seen = notices.map(({ uniqueIdentifier, attributes }) => {
      const of = new Attributes(attributes);
      return [
        uniqueIdentifier,
        of.number('State'),
        of.text(KCM.access),
        of.number(KCM.epoch),
        of.link(LinkType.ReplacementObjectLink),
        of.number('Archive Date') !== null,
      ];
    });
    expect(seen).toEqual([
      [L2, State.Active, 'locked', 5, null, false],
      [L3, State.Destroyed, 'killed', 5, null, false],
      [OLD, State.Deactivated, 'open', 5, L3, false],
      [L3, State.Compromised, null, 5, null, false],
      [L3, State.Deactivated, null, 5, null, true],
    ]);
    await listener.close();
    await until(() => !core.front.reachable('e1', BOOT));
    const [unreached] = await core.front.notify({ ...change, service: null });
    expect(unreached?.refusedAt).toBeNull();
  });

  it('tells one that comes back of the locks on what it holds, and of nothing else', async () => {
    await using core = await new Core().start();
    const lock = (id: string, scope: Lock['scope'], kind: Lock['kind'] = 'suspended'): Lock => ({
      lock: id,
      kind,
      scope,
      cause: 'incident',
      lockedBy: 'anna',
      owner: 'tenant',
    });
    core.access = {
      status: 'locked',
      term: 1,
      epoch: 7,
      locks: [lock('one', { service: 'billing' }), lock('two', { all: true }, 'readOnly')],
    };
    await core.boot(newKwk());
    const stranger = await core.push();
    await stranger.listener.close();
    await until(() => !core.front.reachable('e1', BOOT));
    expect(stranger.notices).toEqual([]);

    core.desk.holding = [
      { edge: 'e1', boot: BOOT, endsAt },
      { edge: 'e1', boot: 'boot-of-before', endsAt },
    ];
    await core.boot(newKwk());
    const { notices } = await core.push();
    await until(() => notices.length === 2);
    const seen = notices.map(({ uniqueIdentifier, attributes }) => {
      const of = new Attributes(attributes);
      const stops = of.number('Protect Stop Date') !== null;
      return [uniqueIdentifier, of.text(KCM.access), of.number(KCM.epoch), stops];
    });
    expect(seen).toEqual([
      [L3, 'locked', 7, false],
      [L2, 'readOnly', 7, true],
    ]);
  });

  it('takes a holder that refuses the notice for one that has not refused use', async () => {
    await using core = await new Core().start();
    await core.boot(newKwk());
    await core.push(BOOT, () => Promise.reject(new KmipFailure(ResultReason.GeneralFailure, '')));
    core.desk.holding = [{ edge: 'e1', boot: BOOT, endsAt }];
    const [told] = await core.front.notify({ ...change, service: null });
    expect(told?.refusedAt).toBeNull();
  });

  it('closes one of a boot that is not registered, and one that answers no ping', async () => {
    await using core = await new Core().start();
    const { listener } = await core.push();
    await listener.closed;
    const dumb = await PushListener.connect({
      ...core.options(),
      wallMs: () => 0,
      newCorrelationId: randomUUID,
      onError: () => undefined,
      handlers: {},
    });
    await dumb.closed;
  });
});

describe('a boot that is here twice', () => {
  it('is a cloned machine when the first one answers: both are refused and it is told', async () => {
    await using core = await new Core().start();
    const kwk = newKwk();
    const first = await core.boot(kwk);
    await core.push();
    const second = await core.connect();
    await expect(register(second, kwk)).rejects.toMatchObject({
      reason: ResultReason.PermissionDenied,
    });
    await first.client.closed;
    await expect(second.call('ObtainLease', { uniqueIdentifier: L3 })).rejects.toMatchObject({
      reason: ResultReason.GeneralFailure,
    });
    expect(core.cloned).toEqual([`e1/${BOOT}`]);
    const third = await core.connect();
    await expect(register(third, kwk)).rejects.toMatchObject({
      reason: ResultReason.PermissionDenied,
    });
    await core.boot(newKwk(), 'boot-00000002');
  });

  it('is the same one come back when the first is gone: its new key counts, the old does not', async () => {
    await using core = await new Core().start();
    const first = await core.boot(newKwk());
    const { listener } = await core.push();
    await listener.close();
    await until(() => !core.front.reachable('e1', BOOT));
    using kwk = newKwk();
    const second = await core.boot(kwk);
    await first.client.closed;
    expect(core.cloned).toEqual([]);
    const { results } = await second.client.batch(leaseBatch(second.kwkUid));
    expect(reasons(results)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
    const foreign = await second.client.batch(leaseBatch(first.kwkUid));
    expect(reasons(foreign.results)[4]).toBe('ItemNotFound');
  });

  it('is cloned as well when a second push connection claims it', async () => {
    await using core = await new Core().start();
    const { client } = await core.boot(newKwk());
    const first = await core.push();
    const second = await core.push();
    await Promise.all([client.closed, first.listener.closed, second.listener.closed]);
    expect(core.cloned).toEqual([`e1/${BOOT}`]);
  });
});
