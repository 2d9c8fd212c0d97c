import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A wire to a server that may lose what the server answers: what is asked arrives, the answer does
 * not, and the connection ends with it.
 */
export class DeafWire {
  /** True: no answer comes through. */
  deaf = false;
  /** How many answers were lost. */
  lost = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #once = false;

  private constructor() {
    this.#server = createServer((near) => this.#carry(near));
  }

  static async open(): Promise<DeafWire> {
    const wire = new DeafWire();
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  leadTo(port: number): void {
    this.#port = port;
  }

  loseOneAnswer(): void {
    this.#once = true;
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #carry(near: Socket): void {
    const far = connect(this.#port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    near.on('data', (asked) => far.write(asked));
    far.on('data', (answer) => {
      if (this.deaf || this.#once) {
        this.#once = false;
        this.lost += 1;
        near.destroy();
      } else near.write(answer);
    });
  }
}
