import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { LIMITS } from '@kcm/kernel';
import { KmipUnavailable } from '../wire/index.js';

export interface KmipClientOptions {
  readonly host: string;
  readonly port: number;
  /** PEM: the region's authority; no other one is trusted. */
  readonly ca: string;
  /** PEM of the client certificate and of its private key. */
  readonly certificate: string;
  readonly privateKey: string | Buffer;
  /** Name in the server's certificate when it differs from `host`. */
  readonly serverName?: string;
  /** SAN URI that the server's certificate must have besides, e.g. `kcm://region/local/core`. */
  readonly serverUri?: string;
  /** Milliseconds; default 10 s. */
  readonly connectMs?: number;
  /** Milliseconds an answer may take; default 10 s. */
  readonly timeoutMs?: number;
}

/**
 * Connects over TLS ≥ 1.2 with the client certificate.
 * @throws KmipUnavailable when it cannot, or the server is not the one expected
 */
export function connectTls(options: KmipClientOptions, protocol: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: options.host,
      port: options.port,
      // An IP address is no SNI name; its check is against the host all the same.
      ...(options.serverName === undefined ? {} : { servername: options.serverName }),
      ca: options.ca,
      cert: options.certificate,
      key: options.privateKey,
      minVersion: 'TLSv1.2',
      ALPNProtocols: [protocol],
      checkServerIdentity: (host, certificate) =>
        checkServer(options.serverName ?? host, certificate, options.serverUri),
    });
    const connectMs = options.connectMs ?? LIMITS.kmipHandshakeMsMax;
    const timer = setTimeout(() => {
      socket.destroy(new Error(`not connected within ${connectMs} ms`));
    }, connectMs);
    const fail = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new KmipUnavailable('cannot connect', error));
    };
    socket.once('error', fail);
    const lost = (): void => fail();
    socket.once('close', lost);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      if (socket.alpnProtocol !== protocol)
        return fail(new Error(`the server does not speak ${protocol}`));
      socket.removeListener('error', fail);
      socket.removeListener('close', lost);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 10_000);
      resolve(socket);
    });
  });
}

function checkServer(
  host: string,
  certificate: PeerCertificate,
  uri: string | undefined,
): Error | undefined {
  const wrong = checkServerIdentity(host, certificate);
  if (wrong !== undefined || uri === undefined) return wrong;
  const names = certificate.subjectaltname ?? '';
  // A quote appears only around a name with special characters: none of ours has any.
  if (!names.includes('"') && names.split(', ').includes(`URI:${uri}`)) return undefined;
  return new Error(`the server's certificate does not name ${uri}`);
}
