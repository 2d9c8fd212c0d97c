import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Stage } from './processes.js';

/** A TCP wire that can be cut, and that can keep back what comes from the far end. */
export class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #lines = new Set<{ readonly near: Socket; readonly far: Socket }>();
  #cut = false;
  #held = false;

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

  /** What the far end says from now on stays here. */
  hold(): void {
    this.#held = true;
    for (const { near, far } of this.#lines) far.unpipe(near);
  }

  release(): void {
    this.#held = false;
    for (const { near, far } of this.#lines) far.pipe(near);
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
    const line = { near, far };
    this.#lines.add(line);
    near.on('close', () => this.#lines.delete(line));
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
    }
    near.pipe(far);
    if (!this.#held) far.pipe(near);
  }
}
