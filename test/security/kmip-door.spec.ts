import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { generateCsr, privateKeyFromPem, signJws } from '@kcm/crypto';
import {
  attribute,
  Attributes,
  BatchErrorContinuation,
  decodeResponse,
  encodeRequest,
  isValueOf,
  KCM,
  KMIP_1_4,
  KMIP_PROTOCOL,
  KmipFailure,
  LEASE_ATTRIBUTES,
  leaseWrapping,
  type OperationName,
  plainAesKey,
  requestItem,
  type RequestOf,
  ResultReason,
  RevocationReasonCode,
  serviceKeyName,
  State,
  type TypedRequest,
  UsageMask,
} from '@kcm/kmip';
import { KmipClient, KmipUnavailable } from '@kcm/kmip/client';
import { TestAuthority } from '@kcm/testing/tls';
import { Customer, type Onboarded, onboard } from '../support/customer.js';
import { FIGURES } from '@kcm/testing/figures';
import { say, Seeded, seedOf } from '../support/seeded.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';
import { blobsOf } from './disk.js';
import { drawsIn, openBarrier } from './learn.js';
import { type Identity, mint, type Wanted } from './mint.js';
import { corpus } from './ttlv-corpus.js';
import { TtlvMutator } from './ttlv-mutations.js';

const folder = scratchFolder('kmip-door');
const drawsFile = join(folder, 'draws');
const server = new Server(folder, {
  program: ['test/security/recording.mjs', drawsFile],
  env: { KCM_EDGE_SERVICES: 'billing' },
});
let customer: Customer;
let acme: Onboarded;
let ca: string;
let caKey: Buffer;
let l2: string;

beforeAll(async () => {
  await server.start();
  customer = await Customer.open(join(folder, 'bank'));
  acme = await onboard(server, customer, 'acme', 'billing');
  ca = readFileSync(join(server.dataDir, 'ca.pem'), 'utf8');
  const vault = blobsOf(join(server.dataDir, 'vault.db'));
  const path = [...vault.keys()].find((each) => each.startsWith('sys/ca/'))!;
  caKey = openBarrier(path, vault.get(path)!, drawsIn(drawsFile));
  const keys = await server.must<{ items: { id: string; level: string }[] }>(
    'GET',
    '/v1/tenants/acme/keys',
    { token: acme.auditor },
  );
  l2 = keys.items.find(({ level }) => level === 'L2')!.id;
}, 60_000);

afterAll(async () => {
  await server.stop();
  await customer.close();
  removeFolder(folder);
});

const address = () => {
  const [host = '', port = ''] = server.endpoints.kmip!.split(':');
  return { host, port: Number(port) };
};
const connection = (identity: Identity) => ({ ...address(), ca, ...identity, timeoutMs: 3_000 });
const open = (identity: Identity) => KmipClient.connect(connection(identity));
const minted = (wanted: Wanted) => mint(ca, caKey, wanted);

/** Over the HTTP door, as the operator does. */
async function enrolled(id: string, services: readonly string[]): Promise<Identity> {
  const { csr, privateKey } = await generateCsr(id);
  const { certificate } = await server.must<{ certificate: string }>('POST', '/v1/edges', {
    body: { id, services, csr },
  });
  return { certificate, privateKey: privateKey.use((pem) => pem.toString('utf8')) };
}

async function workload(tenant: string, service: string): Promise<Identity> {
  const { csr, privateKey } = await generateCsr(service);
  const { certificate } = await server.must<{ certificate: string }>(
    'POST',
    '/v1/sys/certificates',
    {
      body: { tenant, service, csr },
    },
  );
  return { certificate, privateKey: privateKey.use((pem) => pem.toString('utf8')) };
}

const registration = (boot: string = randomUUID()): RequestOf<'Register'> => ({
  attributes: [
    attribute.integer('Cryptographic Usage Mask', UsageMask.WrapKey),
    attribute.date('Activation Date', 0),
    attribute.text(KCM.boot, boot),
  ],
  object: plainAesKey(randomBytes(32)),
});

/** A client with its own key registered, as an Edge is after its start. */
async function asEdge(identity: Identity): Promise<{ client: KmipClient; kwk: string }> {
  const client = await open(identity);
  const { uniqueIdentifier } = await client.call('Register', registration());
  return { client, kwk: uniqueIdentifier };
}

const lease = (kwk: string) =>
  [
    {
      operation: 'Locate',
      payload: {
        maximumItems: 2,
        attributes: [
          attribute.objectName(serviceKeyName('acme', 'billing')),
          attribute.enumeration('State', State.Active),
        ],
      },
    },
    { operation: 'ObtainLease', payload: {} },
    { operation: 'GetUsageAllocation', payload: { count: 10n } },
    { operation: 'GetAttributes', payload: { attributeNames: LEASE_ATTRIBUTES } },
    { operation: 'Get', payload: { keyWrappingSpecification: leaseWrapping(kwk) } },
  ] as const;

const reasonName = ({ reason }: KmipFailure): string =>
  Object.entries(ResultReason).find(([, number]) => number === reason)?.[0] ?? String(reason);

/** Everything of one object that somebody might try. */
const attempts = (uid: string, kwk: string) =>
  [
    { operation: 'ObtainLease', payload: { uniqueIdentifier: uid } },
    { operation: 'GetUsageAllocation', payload: { uniqueIdentifier: uid, count: 1n } },
    { operation: 'GetAttributes', payload: { uniqueIdentifier: uid, attributeNames: [] } },
    { operation: 'GetAttributeList', payload: { uniqueIdentifier: uid } },
    { operation: 'Get', payload: { uniqueIdentifier: uid } },
    {
      operation: 'Get',
      payload: { uniqueIdentifier: uid, keyWrappingSpecification: leaseWrapping(kwk) },
    },
    {
      operation: 'AddAttribute',
      payload: { uniqueIdentifier: uid, attribute: attribute.text(KCM.ack, 'x') },
    },
    {
      operation: 'Revoke',
      payload: { uniqueIdentifier: uid, reason: { code: RevocationReasonCode.KeyCompromise } },
    },
    { operation: 'Destroy', payload: { uniqueIdentifier: uid } },
  ] as const;

/** What each attempt came to, told apart by what a client sees. */
async function outcomes(client: KmipClient, uid: string, kwk: string): Promise<readonly string[]> {
  const { results } = await client.batch(attempts(uid, kwk), {
    continuation: BatchErrorContinuation.Continue,
  });
  return results.map((result) =>
    result.ok ? 'done' : `${reasonName(result.failure)} ${result.failure.message}`,
  );
}

describe('who is nobody is refused before a word is exchanged', () => {
  /** Whether a connection gets one answer to the first question of any client. */
  async function served(identity: Partial<Identity>, protocol = KMIP_PROTOCOL): Promise<boolean> {
    const hello = encodeRequest({
      header: { version: KMIP_1_4 },
      items: [requestItem('DiscoverVersions', { versions: [] })],
    });
    return new Promise((resolve) => {
      const socket = connect({
        ...address(),
        ca,
        ...(identity.certificate === undefined ? {} : { cert: identity.certificate }),
        ...(identity.privateKey === undefined ? {} : { key: identity.privateKey }),
        ALPNProtocols: [protocol],
        checkServerIdentity: () => undefined,
      });
      const done = (answer: boolean) => {
        clearTimeout(timer);
        socket.destroy();
        resolve(answer);
      };
      // Neither an answer nor the end of the connection is a failure of this test.
      const timer = setTimeout(() => done(true), 5_000);
      socket.on('data', () => done(true));
      socket.on('error', () => done(false));
      socket.on('close', () => done(false));
      socket.write(hello);
    });
  }
  const here = { uris: ['kcm://tenant/acme/service/billing'] };

  it('a certificate of this region is let in (so that the refusals below mean something)', async () => {
    expect(await served(await minted(here))).toBe(true);
    expect(await served(await workload('acme', 'billing'))).toBe(true);
  });

  it.each<[string, () => Promise<Partial<Identity>> | Partial<Identity>]>([
    ['no certificate', () => ({})],
    ['another authority', async () => (await TestAuthority.create()).workload('acme', 'billing')],
    [
      'another authority of the same name',
      async () => (await TestAuthority.create('OpenKCM region local')).edge('standalone'),
    ],
    ['expired', () => minted({ ...here, endsInHours: -1 })],
    ["a server's", () => minted({ ...here, use: 'server' })],
    ['no name of ours', () => minted({ uris: ['https://acme.example'] })],
    ['no name', () => minted({ uris: [] })],
    ['two names', () => minted({ uris: [...here.uris, 'kcm://tenant/globex/service/billing'] })],
    ["Core's own name", () => minted({ uris: ['kcm://region/local/core'] })],
    ['a name that is none', () => minted({ uris: ['kcm://tenant/acme/service/billing/admin'] })],
    [
      'an Edge of another region',
      () => minted({ uris: ['kcm://region/elsewhere/edge/standalone'] }),
    ],
    ['an Edge that was never enrolled', () => minted({ uris: ['kcm://region/local/edge/ghost'] })],
    [
      'an enrolled Edge, with another certificate',
      () => minted({ uris: ['kcm://region/local/edge/standalone'] }),
    ],
  ])('%s', async (_name, make) => {
    const identity = await make();
    expect(await served(identity)).toBe(false);
    expect(await served(identity, 'kcm-push/1')).toBe(false);
  });

  it('a workload gets no push connection', async () => {
    expect(await served(await workload('acme', 'billing'), 'kcm-push/1')).toBe(false);
  });
});

describe('an Edge that is revoked', () => {
  const turnedAway = (identity: Identity): Promise<boolean> =>
    open(identity)
      .then((client) => client.call('Query', { functions: [] }))
      .then(
        () => false,
        (error: unknown) => error instanceof KmipUnavailable,
      );

  it('is cut off where it stands and not let in again, with any certificate that it had', async () => {
    const first = await enrolled('e-gone', ['billing']);
    const { client } = await asEdge(first);
    const second = await enrolled('e-gone', ['billing']);
    // Enrolled anew: its old certificate is nobody's, and its connection ends.
    await client.closed;
    expect(await turnedAway(first)).toBe(true);
    const { client: standing, kwk } = await asEdge(second);
    const { results } = await standing.batch(lease(kwk));
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    await server.must('POST', '/v1/edges/e-gone/revoke');
    await standing.closed;
    for (const identity of [first, second]) expect(await turnedAway(identity)).toBe(true);
  });
});

describe('an Edge that hears of nothing', () => {
  const reads = (kwk: string) => {
    const [locate, obtain, , attributes, get] = lease(kwk);
    return [locate, obtain, attributes, get] as const;
  };

  it('gets no lease to protect with while the service is read-only, and one that says so', async () => {
    const { client, kwk } = await asEdge(await enrolled('e-deaf', ['billing']));
    const open = await client.batch(lease(kwk));
    expect(open.results.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    const path = '/v1/tenants/acme/revocations';
    const { id } = await server.must<{ id: string }>('POST', path, {
      token: acme.anna,
      body: { kind: 'read-only', scope: { service: 'billing' }, reason: { code: 'drill' } },
    });

    const refused = await client.batch(lease(kwk), {
      continuation: BatchErrorContinuation.Continue,
    });
    expect(refused.results[1]).toMatchObject({
      failure: { reason: ResultReason.PermissionDenied, message: 'tenant_read_only' },
    });
    // No part of it comes by itself either.
    expect(refused.results.slice(2).map(({ ok }) => ok)).toEqual([false, false, false]);
    const { results } = await client.batch(reads(kwk));
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true, true]);
    const [, , answered] = results;
    const seen = new Attributes(answered.ok ? answered.payload.attributes : []);
    expect(seen.text(KCM.access)).toBe('readOnly');
    expect(seen.number('Protect Stop Date')).not.toBeNull();

    await server.must('POST', `${path}/${id}/release`, { token: acme.boris });
    const again = await client.batch(lease(kwk));
    expect(again.results.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    await client.close();
  });
});

describe('an Edge that reports what it did not do', () => {
  /** What a report of its own makes of the counts of a key that it was never granted. */
  it('changes no count of a key that it was never granted', async () => {
    const identity = await enrolled('e-liar', ['mail']);
    const client = await open(identity);
    const boot = randomUUID();
    const { uniqueIdentifier } = await client.call('Register', registration(boot));
    const usage = () =>
      server.must<object>('GET', `/v1/tenants/acme/keys/${acme.l3}/usage`, { token: acme.anna });
    const before = await usage();
    const entry = { tenant: 'acme', key: acme.l3, version: 1, refused: {}, bytes: 0 };
    const moved = Array.from({ length: 3 }, () => randomBytes(8).toString('base64url'));
    const at = new Date().toISOString();
    const statement = {
      boot,
      seq: 1,
      previous: null,
      from: at,
      to: at,
      entries: [
        { ...entry, operation: 'encrypt', ok: 1000 },
        { ...entry, operation: 'dataKey', ok: 7 },
        { ...entry, operation: 'rewrapFrom', ok: 3, moved },
        { ...entry, key: '-', version: 0, operation: 'dataKey', ok: 9 },
      ],
    };
    const jws = signJws(privateKeyFromPem(identity.privateKey), {}, statement);
    await client.call('ModifyAttribute', {
      uniqueIdentifier,
      attribute: attribute.text(KCM.usage, jws),
    });
    // Nobody is told when the read model has got there: a count that changes does within a second.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await usage()).toEqual(before);
    await client.close();
  });
});

describe("a workload's certificate", () => {
  it('leases nothing, gets nothing and cannot tell what exists', async () => {
    const client = await open(await workload('acme', 'billing'));
    const nothing = await outcomes(client, 'acme/l3-000000000000/1', 'none');
    expect(new Set(nothing)).toEqual(new Set(['PermissionDenied forbidden']));
    for (const uid of [`acme/${acme.l3}/1`, `acme/${l2}/1`])
      expect(await outcomes(client, uid, 'none')).toEqual(nothing);
    await expect(client.call('Register', registration())).rejects.toMatchObject({
      reason: ResultReason.PermissionDenied,
    });
    const [located] = lease('none');
    await expect(client.call('Locate', located.payload)).rejects.toMatchObject({
      reason: ResultReason.PermissionDenied,
    });
    await client.close();
  });
});

describe("an Edge's certificate", () => {
  it('of other services cannot tell a key of this one from none', async () => {
    const { client, kwk } = await asEdge(await enrolled('e-mail', ['mail']));
    const nothing = await outcomes(client, 'acme/l3-000000000000/1', kwk);
    expect(nothing).not.toContain('done');
    for (const uid of [
      `acme/${acme.l3}/1`,
      `acme/${l2}/1`,
      'nobody/l3-000000000000/1',
      '',
      '../..',
    ])
      expect(await outcomes(client, uid, kwk)).toEqual(nothing);
    const found = await client.call('Locate', lease(kwk)[0].payload);
    expect(found.uniqueIdentifiers).toEqual([]);
    await client.close();
  });

  it('gets an L3 by a lease and wrapped for itself, and an L2 never', async () => {
    const { client, kwk } = await asEdge(await enrolled('e-mine', ['billing']));
    const uid = `acme/${acme.l3}/1`;
    expect(await outcomes(client, `acme/${l2}/1`, kwk)).not.toContain('done');
    const refused = async <O extends OperationName>(operation: O, payload: RequestOf<O>) => {
      const obtain = { operation: 'ObtainLease', payload: { uniqueIdentifier: uid } } as const;
      const requests: readonly TypedRequest[] = [obtain, { operation, payload } as TypedRequest];
      const { results } = await client.batch(requests);
      const [leased, last] = results;
      expect(leased!.ok).toBe(true);
      return last!.ok ? 'done' : reasonName(last!.failure);
    };
    const target = { uniqueIdentifier: uid };
    expect(await refused('Get', target)).toBe('Sensitive');
    const elsewhere = leaseWrapping('00000000-0000-4000-8000-000000000000');
    expect(await refused('Get', { ...target, keyWrappingSpecification: elsewhere })).toBe(
      'ItemNotFound',
    );
    const mine = leaseWrapping(kwk);
    expect(await refused('Get', { ...target, keyWrappingSpecification: mine })).toBe('done');
    // Without a lease in the same message there is none to take it by.
    await expect(client.call('Get', { ...target, keyWrappingSpecification: mine })).rejects.toThrow(
      KmipFailure,
    );
    await client.close();
  });
});

describe('malformed messages', () => {
  const MESSAGES = FIGURES.kmipMutations;
  const AT_ONCE = 16;
  /** A length that was made larger keeps the server waiting for more; nobody waits for it here. */
  const PATIENCE_MS = 25;

  it('the server stands, each answer is one of KMIP, and a good client goes on', async () => {
    const seed = seedOf();
    say(`${MESSAGES} messages, KCM_TEST_SEED=${seed}`);
    const draws = new Seeded(seed);
    const mutator = new TtlvMutator(draws);
    const uid = `acme/${acme.l3}/1`;
    const good = await asEdge(await enrolled('e-good', ['billing']));
    const bad = await enrolled('e-bad', ['billing']);
    const messages = corpus({ uid, kwk: 'kwk', boot: randomUUID(), ack: 'a.b.c' });
    let answered = 0;
    const throwAway = (bytes: Buffer) =>
      new Promise<Buffer>((resolve) => {
        const said: Buffer[] = [];
        const socket = connect({
          ...address(),
          ca,
          cert: bad.certificate,
          key: bad.privateKey,
          ALPNProtocols: [KMIP_PROTOCOL],
          checkServerIdentity: () => undefined,
        });
        let timer: NodeJS.Timeout | undefined;
        socket.on('secureConnect', () => {
          socket.write(bytes);
          timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
        });
        socket.on('data', (chunk: Buffer) => {
          said.push(chunk);
          const whole = Buffer.concat(said);
          if (whole.length >= 8 && whole.length >= 8 + whole.readUInt32BE(4)) socket.destroy();
        });
        socket.on('error', () => undefined);
        socket.on('close', () => {
          clearTimeout(timer);
          if (said.length > 0) answered += 1;
          resolve(Buffer.concat(said));
        });
      });
    for (let sent = 0; sent < MESSAGES; sent += AT_ONCE) {
      const batch = Array.from({ length: AT_ONCE }, () => mutator.mutated(draws.pick(messages)));
      for (const answer of await Promise.all(batch.map(throwAway))) {
        const items = answer.length === 0 ? [] : decodeResponse(answer).items;
        for (const { reason = ResultReason.InvalidMessage } of items)
          expect(isValueOf(ResultReason, reason)).toBe(true);
      }
      if (sent % 160 === 0) {
        const { results } = await good.client.batch(lease(good.kwk));
        expect(results.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
      }
    }
    expect(answered).toBeGreaterThan(MESSAGES / 4);
    await good.client.close();
    expect(server.running).toBe(true);
    expect((await server.ask('GET', '/livez')).status).toBe(200);
    expect(readFileSync(server.log, 'utf8')).not.toMatch(/"level":(50|60)/);
  }, 3_600_000);
});
