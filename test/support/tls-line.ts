import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';

/** TLS in front of a server that has none. */
export class TlsLine {
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly server: ReturnType<typeof createServer>) {}

  /** `target`: host:port. */
  static async open(
    target: string,
    { certificate, privateKey }: { readonly certificate: string; readonly privateKey: string },
  ): Promise<TlsLine> {
    const server = createServer({ cert: certificate, key: privateKey });
    const line = new TlsLine(server);
    // Of a client that does not trust the certificate.
    server.on('tlsClientError', () => undefined);
    server.on('secureConnection', (near) => {
      const [host, port] = target.split(':');
      const far = connect(Number(port), host);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        line.#sockets.add(one);
        one.on('error', () => undefined);
        one.on('close', () => other.destroy());
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }
}
