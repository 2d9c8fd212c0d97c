import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A wire to a keystore that can be held: what comes then is never passed on nor answered. */
export class StallingProxy {
  readonly #server: Server;
  #holding: { readonly path: RegExp; readonly reached: () => void } | null = null;

  private constructor(private readonly target: string) {
    this.#server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing));
  }

  static async open(target: string): Promise<StallingProxy> {
    const proxy = new StallingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when a call to such a path has come, and hangs. */
  hold(path: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.#holding = { path, reached: resolve };
    });
  }

  letGo(): void {
    this.#holding = null;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (this.#holding?.path.test(incoming.url!)) return this.#holding.reached();
    const { method, headers } = incoming;
    const onward = request(this.target + incoming.url!, { method: method!, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  }
}
