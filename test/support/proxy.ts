import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Stage } from './processes.js';

/** A TCP wire that can be cut. */
export class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  private constructor(private readonly target: () => string | null) {
    this.#server = createServer((near) => this.#join(near));
  }

  /** `target`: host:port, asked at each connection; null: nothing is there. */
  static async listen(stage: Stage, target: () => string | null): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    stage.atEnd(() => {
      proxy.cut();
      proxy.#server.close();
    });
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Every connection ends, and none is let through until it is healed. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  heal(): void {
    this.#cut = false;
  }

  #join(near: Socket): void {
    near.on('error', () => undefined);
    const target = this.#cut ? null : this.target();
    if (target === null) {
      near.destroy();
      return;
    }
    const [host = '', port = ''] = target.split(':');
    const far = connect(Number(port), host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
