import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { connectionBudget, LIMITS } from '@kcm/kernel';
import { Framer, Tag } from '../codec/index.js';
import { KMIP_PROTOCOL, PUSH_PROTOCOL } from '../profile/index.js';
import {
  KmipUnavailable,
  Requester,
  Responder,
  serveStream,
  type ResponderOptions,
} from '../wire/index.js';
import { Handshakes } from './handshakes.js';
import { identityOf, type Peer } from './identity.js';
import type { PushChannel } from './push-channel.js';

export interface ServerCredentials {
  /** PEM: the authority whose client certificates are let in; no other one is. */
  readonly ca: string;
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string | Buffer;
}
export type RefusedConnection =
  'handshake' | 'too-many-handshakes' | 'identity' | 'not-admitted' | 'no-push';
export interface KmipServerOptions extends ResponderOptions<Peer> {
  readonly credentials: ServerCredentials;
  /** Asked for each new connection and each message: false closes it. Must not throw. */
  readonly admit: (peer: Peer) => boolean;
  /** A push connection has come; without this they are refused. */
  readonly onPush?: (channel: PushChannel) => void;
  /** A request connection is over. */
  readonly onClosed?: (peer: Peer) => void;
  /** A connection was turned away; `detail` is for a log and holds no secret. */
  readonly onRefused?: (why: RefusedConnection, detail: string) => void;
  readonly connectionsMax?: number;
  /** Who is limited as one before it has shown a certificate; without this: one address. */
  readonly networkOf?: (address: string) => string;
  readonly idleMs?: number;
  readonly handshakeMs?: number;
  readonly messageMs?: number;
  /** How long a client may take to answer on a push connection. */
  readonly pushAnswerMs?: number;
}

/**
 * KMIP over mutual TLS ≥ 1.2 on one port. ALPN `kcm-push/1` turns a connection round; `kmip` or
 * none
 * is an ordinary one, with one request in work at a time.
 */
export class KmipServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #responder: Responder<Peer>;
  readonly #connections = new Map<number, { readonly peer: Peer; readonly socket: TLSSocket }>();
  /** Below TLS: those that are still shaking hands are in here too. */
  readonly #sockets = new Set<Socket>();
  #serial = 0;

  private constructor(private readonly options: KmipServerOptions) {
    this.#responder = new Responder(options);
    const { ca, certificate, privateKey } = options.credentials;
    this.#server = createServer({
      ca,
      cert: certificate,
      key: privateKey,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ALPNProtocols: [PUSH_PROTOCOL, KMIP_PROTOCOL],
      handshakeTimeout: options.handshakeMs ?? LIMITS.kmipHandshakeMsMax,
      // A resumed session would skip the look at the certificate.
      sessionTimeout: 1,
    });
    connectionBudget().guard(this.#server, options.connectionsMax ?? LIMITS.kmipConnectionsMax);
    const { networkOf = (address: string) => address } = options;
    const handshakes = new Handshakes(networkOf, (network) =>
      options.onRefused?.('too-many-handshakes', network),
    );
    this.#server.on('connection', (socket: Socket) => {
      handshakes.begin(socket);
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', (error, socket) => {
      options.onRefused?.('handshake', error.message);
      socket.destroy();
    });
    this.#server.on('secureConnection', (socket) => {
      handshakes.done(socket);
      this.#accept(socket);
    });
  }

  /** @throws Error of node:net when the address cannot be bound */
  static async listen(options: KmipServerOptions, host: string, port: number): Promise<KmipServer> {
    const server = new KmipServer(options);
    server.#server.listen({ host, port });
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** New connections see these; those that stand go on. */
  renew({ ca, certificate, privateKey }: ServerCredentials): void {
    this.#server.setSecureContext({
      ca,
      cert: certificate,
      key: privateKey,
      minVersion: 'TLSv1.2',
      sessionTimeout: 1,
    });
  }

  /** Ends the connections of those peers that this names. */
  disconnect(which: (peer: Peer) => boolean): void {
    for (const { peer, socket } of this.#connections.values()) if (which(peer)) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.disconnect(() => true);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
    const peer = this.#peerOf(socket);
    if (peer === null) {
      this.options.onRefused?.('identity', 'the certificate names nobody');
      return void socket.destroy();
    }
    if (!this.#admitted(peer)) {
      this.options.onRefused?.('not-admitted', peer.certificateSha256);
      return void socket.destroy();
    }
    this.#connections.set(peer.connection, { peer, socket });
    socket.once('close', () => this.#connections.delete(peer.connection));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    if (socket.alpnProtocol === PUSH_PROTOCOL) this.#push(socket, peer);
    else this.#serve(socket, peer);
  }

  #serve(socket: TLSSocket, peer: Peer): void {
    socket.setTimeout(this.options.idleMs ?? LIMITS.kmipIdleMsMax, () => socket.destroy());
    const gate = {
      answer: (bytes: Uint8Array, from: Peer, signal: AbortSignal): Promise<Buffer | null> =>
        this.#admitted(from) ? this.#responder.answer(bytes, from, signal) : Promise.resolve(null),
      refuseMessage: this.#responder.refuseMessage.bind(this.#responder),
    };
    const framer = new Framer(Tag.RequestMessage, LIMITS.ttlvMessageBytesMax);
    const messageMs = this.options.messageMs ?? LIMITS.kmipMessageMsMax;
    void serveStream(socket, framer, gate, peer, messageMs).then(() =>
      this.options.onClosed?.(peer),
    );
  }

  #push(socket: TLSSocket, peer: Peer): void {
    if (this.options.onPush === undefined) {
      this.options.onRefused?.('no-push', peer.certificateSha256);
      return void socket.destroy();
    }
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const answerMs = this.options.pushAnswerMs ?? LIMITS.kmipAnswerMsMax;
    const requester = new Requester(socket, answerMs);
    this.options.onPush({
      peer,
      requester,
      closed,
      close: () => requester.end(new KmipUnavailable('closed by the server')),
    });
  }

  #admitted(peer: Peer): boolean {
    return this.options.wallMs() <= peer.notAfterMs && this.options.admit(peer);
  }

  #peerOf(socket: TLSSocket): Peer | null {
    const certificate = socket.getPeerX509Certificate();
    if (!socket.authorized || certificate === undefined) return null;
    const identity = identityOf(certificate);
    if (identity === null) return null;
    return {
      identity,
      certificateSha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      publicKey: certificate.publicKey,
      notAfterMs: Date.parse(certificate.validTo),
      address: `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`,
      connection: ++this.#serial,
    };
  }
}
