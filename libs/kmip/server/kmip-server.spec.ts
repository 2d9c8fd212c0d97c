import { LIMITS } from '@kcm/kernel';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { TestAuthority, type TestCertificate } from '@kcm/testing/tls';
import { KmipClient, KmipUnavailable, PushListener } from '../client/index.js';
import {
  attribute,
  BatchErrorContinuation,
  decodeResponse,
  encodeRequest,
  KMIP_1_4,
  KmipFailure,
  requestItem,
  ResultReason,
  ResultStatus,
  RevocationReasonCode,
} from '../codec/index.js';
import { bootOfPong, PING, pong } from '../profile/index.js';
import {
  discoverVersions,
  KmipServer,
  targetOf,
  type KmipServerOptions,
  type PeerIdentity,
  type PushChannel,
} from './index.js';

const HOST = '127.0.0.1';
let authority: TestAuthority;
let own: TestCertificate;
let edge: TestCertificate;
const servers: KmipServer[] = [];
const refusals: string[] = [];
const errors: unknown[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
  [own, edge] = await Promise.all([authority.server(), authority.edge('e1')]);
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  refusals.length = 0;
  errors.length = 0;
});

async function serve(more: Partial<KmipServerOptions> = {}): Promise<KmipServer> {
  const server = await KmipServer.listen(
    {
      credentials: own,
      admit: () => true,
      wallMs: () => Date.now(),
      newCorrelationId: () => 'made-here',
      onError: (error) => errors.push(error),
      onRefused: (why) => refusals.push(why),
      handlers: { DiscoverVersions: discoverVersions },
      ...more,
    },
    HOST,
    0,
  );
  servers.push(server);
  return server;
}

const optionsFor = (server: KmipServer, certificate: Partial<TestCertificate> = edge) => ({
  host: HOST,
  port: server.port,
  ca: authority.ca,
  certificate: certificate.certificate ?? '',
  privateKey: certificate.privateKey ?? '',
  serverUri: 'kcm://region/local/core',
});

/** Under TLS 1.3 a refused client learns of it only when it reads. */
const ask = async (server: KmipServer, certificate?: Partial<TestCertificate>) => {
  await using client = await KmipClient.connect(optionsFor(server, certificate));
  return await client.call('DiscoverVersions', { versions: [] });
};

const raw = (server: KmipServer, alpn?: string[]): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: HOST,
        port: server.port,
        ca: authority.ca,
        cert: edge.certificate,
        key: edge.privateKey,
        ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
      },
      () => resolve(socket),
    );
    socket.once('error', reject);
  });

const answerOf = (socket: TLSSocket): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const all = Buffer.concat(chunks);
      if (all.length >= 8 && all.length === 8 + all.readUInt32BE(4)) resolve(all);
    });
    socket.once('close', () => reject(new Error('closed')));
  });

describe('KmipServer', () => {
  it('lets in who shows a certificate beside very many who show none: the oldest give way', async () => {
    const server = await serve();
    const gone: unknown[] = [];
    const silent = Array.from({ length: LIMITS.kmipHandshakesPerPeerMax + 40 }, () =>
      createConnection({ host: HOST, port: server.port })
        .on('error', () => undefined)
        .on('close', (error) => gone.push(error)),
    );
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    while (gone.length < 40) await sleep(10);
    expect((await ask(server)).versions[0]).toEqual(KMIP_1_4);
    expect(silent.at(-1)!.destroyed).toBe(false);
    expect(refusals.filter((why) => why === 'too-many-handshakes')).toHaveLength(41);
    for (const socket of silent) socket.destroy();
  });

  it('lets in a certificate of its authority and knows who it is', async () => {
    const peers: PeerIdentity[] = [];
    const server = await serve({
      handlers: {
        DiscoverVersions: (asked, batch) => {
          peers.push(batch.peer.identity);
          expect(batch.peer.certificateSha256).toBe(edge.sha256);
          return discoverVersions(asked);
        },
      },
    });
    expect((await ask(server)).versions[0]).toEqual(KMIP_1_4);
    expect(peers).toEqual([{ kind: 'edge', region: 'local', edge: 'e1' }]);
  });

  it('refuses no certificate, another authority’s, an expired one and one that names nobody', async () => {
    const server = await serve();
    const other = await (await TestAuthority.create()).edge('e1');
    const expired = await authority.issue(
      [{ type: 'url', value: 'kcm://region/local/edge/e1' }],
      Date.now() - 1000,
    );
    const nobody = await authority.issue([{ type: 'dns', value: 'localhost' }]);
    const twice = await authority.issue(
      ['a', 'b'].map((name) => ({ type: 'url', value: `kcm://region/local/edge/${name}` })),
    );
    const hidden = await authority.issue([
      { type: 'dns', value: 'x, URI:kcm://tenant/acme/service/billing, y' },
    ]);
    const core = await authority.issue([{ type: 'url', value: 'kcm://region/local/core' }]);
    for (const wrong of [{}, other, expired, nobody, twice, hidden, core])
      await expect(ask(server, wrong)).rejects.toThrow(KmipUnavailable);
    expect(refusals).toEqual([
      'handshake',
      'handshake',
      'handshake',
      'identity',
      'identity',
      'identity',
      'identity',
    ]);
    expect((await ask(server)).versions).toHaveLength(5);
  });

  it('is not believed by a client when it is not the one expected', async () => {
    const elsewhere = await authority.server('elsewhere');
    const server = await serve({ credentials: elsewhere });
    await expect(ask(server)).rejects.toThrow(KmipUnavailable);
    const disguised = await serve({ credentials: await authority.workload('acme', 'billing') });
    await expect(ask(disguised)).rejects.toThrow(KmipUnavailable);
  });

  it('asks again at each message whether the peer is admitted, and looks at its end', async () => {
    let admitted = true;
    let now = Date.now();
    const server = await serve({ admit: () => admitted, wallMs: () => now });
    await using first = await KmipClient.connect(optionsFor(server));
    await using second = await KmipClient.connect(optionsFor(server));
    await first.call('DiscoverVersions', { versions: [] });
    await second.call('DiscoverVersions', { versions: [] });
    admitted = false;
    await expect(first.call('DiscoverVersions', { versions: [] })).rejects.toThrow(KmipUnavailable);
    admitted = true;
    now += 2 * 3_600_000;
    await expect(second.call('DiscoverVersions', { versions: [] })).rejects.toThrow(
      KmipUnavailable,
    );
  });

  it('answers in the version asked, and refuses one that it does not speak', async () => {
    const server = await serve();
    const socket = await raw(server);
    const send = async (major: number, minor: number) => {
      socket.write(
        encodeRequest({
          header: { version: { major, minor } },
          items: [requestItem('DiscoverVersions', { versions: [] })],
        }),
      );
      return decodeResponse(await answerOf(socket));
    };
    for (const minor of [0, 1, 2, 3, 4]) {
      const answer = await send(1, minor);
      expect(answer.header.version).toEqual({ major: 1, minor });
      expect(answer.header.serverCorrelationValue).toBe(minor === 4 ? 'made-here' : undefined);
    }
    for (const [major, minor] of [
      [1, 5],
      [2, 0],
      [0, 1],
    ] as const) {
      const answer = await send(major, minor);
      expect(answer.header.version).toEqual(KMIP_1_4);
      expect(answer.items).toEqual([
        expect.objectContaining({
          status: ResultStatus.OperationFailed,
          reason: ResultReason.InvalidMessage,
        }),
      ]);
    }
    socket.destroy();
  });

  it('executes a batch in order: stops at the first failure, or goes on if told to', async () => {
    const seen: string[] = [];
    const server = await serve({
      handlers: {
        Locate: (_asked, batch) => {
          batch.idPlaceholder = 'found';
          return { uniqueIdentifiers: ['found'] };
        },
        Activate: (asked, batch) => {
          const uniqueIdentifier = targetOf(asked, batch);
          seen.push(`activate ${uniqueIdentifier}`);
          return { uniqueIdentifier };
        },
        Destroy: () => {
          throw new KmipFailure(ResultReason.PermissionDenied, 'no');
        },
        Revoke: () => {
          throw new Error('a mistake with a secret in it');
        },
      },
    });
    await using client = await KmipClient.connect(optionsFor(server));
    const requests = [
      { operation: 'Locate', payload: { attributes: [] } },
      { operation: 'Activate', payload: {} },
      { operation: 'Destroy', payload: {} },
      { operation: 'Activate', payload: { uniqueIdentifier: 'other' } },
      { operation: 'Revoke', payload: { reason: { code: RevocationReasonCode.Unspecified } } },
      { operation: 'Get', payload: {} },
    ] as const;
    const stopped = await client.batch(requests, { clientCorrelationValue: 'mine' });
    expect(stopped.header.serverCorrelationValue).toBe('mine');
    expect(stopped.results.map(({ ok }) => ok)).toEqual([true, true, false, false, false, false]);
    expect(seen.splice(0)).toEqual(['activate found']);
    const all = await client.batch(requests, { continuation: BatchErrorContinuation.Continue });
    expect(seen).toEqual(['activate found', 'activate other']);
    expect(all.results.map((result) => (result.ok ? 'ok' : result.failure.reason))).toEqual([
      'ok',
      'ok',
      ResultReason.PermissionDenied,
      'ok',
      ResultReason.GeneralFailure,
      ResultReason.OperationNotSupported,
    ]);
    expect(all.results[4]).toMatchObject({ failure: { message: 'internal error' } });
    expect(errors).toHaveLength(1);
  });

  it('refuses to undo, and items of a batch that cannot be told apart', async () => {
    const server = await serve();
    await using client = await KmipClient.connect(optionsFor(server));
    const requests = [1, 2].map(() => ({ operation: 'Destroy', payload: {} }) as const);
    await expect(
      client.batch(requests, { continuation: BatchErrorContinuation.Undo }),
    ).rejects.toMatchObject({ reason: ResultReason.FeatureNotSupported });
    const socket = await raw(server);
    socket.write(
      encodeRequest({
        header: { version: KMIP_1_4 },
        items: requests.map(({ operation, payload }) =>
          requestItem(operation, payload, Buffer.from([7])),
        ),
      }),
    );
    const answer = decodeResponse(await answerOf(socket));
    expect(answer.items[0]).toMatchObject({ reason: ResultReason.InvalidMessage });
    socket.destroy();
  });

  it('keeps to the size of answer that the client can take', async () => {
    const server = await serve();
    const socket = await raw(server);
    socket.write(
      encodeRequest({
        header: { version: KMIP_1_4, maximumResponseSize: 128 },
        items: [requestItem('DiscoverVersions', { versions: [] })],
      }),
    );
    const answer = decodeResponse(await answerOf(socket));
    expect(answer.items[0]).toMatchObject({ reason: ResultReason.ResponseTooLarge });
    socket.destroy();
  });

  it('answers requests that arrive together one by one, in their order', async () => {
    let working = 0;
    let most = 0;
    const server = await serve({
      handlers: {
        Activate: async ({ uniqueIdentifier }) => {
          most = Math.max(most, ++working);
          await new Promise((resolve) => setImmediate(resolve));
          working--;
          return { uniqueIdentifier: uniqueIdentifier ?? '' };
        },
      },
    });
    await using client = await KmipClient.connect(optionsFor(server));
    const names = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const answers = await Promise.all(
      names.map((uniqueIdentifier) => client.call('Activate', { uniqueIdentifier })),
    );
    expect(answers.map(({ uniqueIdentifier }) => uniqueIdentifier)).toEqual(names);
    const socket = await raw(server);
    const frames = names.map((uniqueIdentifier) =>
      encodeRequest({
        header: { version: KMIP_1_4 },
        items: [requestItem('Activate', { uniqueIdentifier })],
      }),
    );
    let bytes = 0;
    const done = new Promise<void>((resolve) =>
      socket.on('data', (chunk: Buffer) => (bytes += chunk.length) > 2000 && resolve()),
    );
    socket.write(Buffer.concat(frames));
    await done;
    expect(most).toBe(1);
    socket.destroy();
  });

  it('tells a stream that is not KMIP so and closes it; malformed content does not end it', async () => {
    const server = await serve();
    const foreign = await raw(server);
    foreign.write('GET / HTTP/1.1\r\n\r\n');
    const refused = decodeResponse(await answerOf(foreign));
    expect(refused.items[0]).toMatchObject({ reason: ResultReason.InvalidMessage });
    await new Promise((resolve) => foreign.once('close', resolve));
    const socket = await raw(server);
    socket.write(Buffer.from('42007801000000084200770100000010', 'hex'));
    const wrong = decodeResponse(await answerOf(socket));
    expect(wrong.items[0]).toMatchObject({ reason: ResultReason.InvalidMessage });
    socket.destroy();
    expect((await ask(server)).versions).toHaveLength(5);
  });

  it('closes a connection that sends nothing, or a message that never ends', async () => {
    const idle = await serve({ idleMs: 50 });
    const quiet = await raw(idle);
    await new Promise((resolve) => quiet.once('close', resolve));
    const slow = await serve({ messageMs: 50 });
    const endless = await raw(slow);
    const closed = new Promise((resolve) => endless.once('close', resolve));
    endless.on('error', () => undefined);
    const timer = setInterval(() => endless.write(Buffer.from([0x42])), 10);
    endless.write(Buffer.from('4200780100010000', 'hex'));
    await closed;
    clearInterval(timer);
  });

  it('ends what waits when the server goes, and does not wait longer than told', async () => {
    const server = await serve({
      handlers: { Destroy: () => new Promise<never>(() => undefined) },
    });
    const options = optionsFor(server);
    await using client = await KmipClient.connect({ ...options, timeoutMs: 50 });
    const waiting = await Promise.allSettled([
      client.call('Destroy', {}),
      client.call('Destroy', {}),
    ]);
    for (const one of waiting)
      expect(one).toMatchObject({ status: 'rejected', reason: { name: 'KmipUnavailable' } });
    expect(client.ended).toBe(true);
    await expect(client.call('Destroy', {})).rejects.toThrow(KmipUnavailable);
    await using other = await KmipClient.connect(options);
    await Promise.all([
      expect(other.call('Destroy', {})).rejects.toThrow(KmipUnavailable),
      server.close(),
    ]);
    await expect(KmipClient.connect(options)).rejects.toThrow(KmipUnavailable);
  });

  it('asks over a push connection and is answered', async () => {
    let pushed: (channel: PushChannel) => void = () => undefined;
    const arrived = new Promise<PushChannel>((resolve) => (pushed = resolve));
    const server = await serve({ onPush: (channel) => pushed(channel) });
    const notified: unknown[] = [];
    const listener = await PushListener.connect({
      ...optionsFor(server),
      wallMs: () => Date.now(),
      newCorrelationId: () => 'c',
      onError: (error) => errors.push(error),
      handlers: {
        Query: () => pong('boot-0001'),
        Notify: (payload) => {
          notified.push(payload);
          return {};
        },
      },
    });
    const channel = await arrived;
    expect(bootOfPong(await channel.requester.call('Query', PING))).toBe('boot-0001');
    const notice = {
      uniqueIdentifier: 'k',
      attributes: [attribute.text('y-kcm-access', 'locked')],
    };
    await channel.requester.call('Notify', notice);
    expect(notified).toEqual([notice]);
    await expect(channel.requester.call('Destroy', {})).rejects.toMatchObject({
      reason: ResultReason.OperationNotSupported,
    });
    await listener.close();
    await channel.closed;
    await expect(channel.requester.call('Query', PING)).rejects.toThrow(KmipUnavailable);
  });

  it('shows a renewed certificate to new connections without a restart', async () => {
    const server = await serve();
    await using standing = await KmipClient.connect(optionsFor(server));
    const next = await TestAuthority.create('next');
    server.renew({ ...(await next.server()), ca: next.ca });
    const client = await next.edge('e2');
    await using moved = await KmipClient.connect({ ...optionsFor(server, client), ca: next.ca });
    expect((await moved.call('DiscoverVersions', { versions: [] })).versions).toHaveLength(5);
    await expect(ask(server)).rejects.toThrow(KmipUnavailable);
    expect((await standing.call('DiscoverVersions', { versions: [] })).versions).toHaveLength(5);
  });
});
