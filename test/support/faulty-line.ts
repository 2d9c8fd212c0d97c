import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Fault } from '@kcm/testing';
import type { Stage } from './processes.js';

/** The wire to a keystore, on which something else than the keystore may answer each request. */
export class FaultyLine {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #fault: Fault | undefined;
  /** Requests that were answered wrongly. */
  faulted = 0;

  private constructor(private readonly target: string) {
    this.#server = createServer((near) => this.#join(near));
  }

  /** `target`: host:port. */
  static async listen(stage: Stage, target: string): Promise<FaultyLine> {
    const line = new FaultyLine(target);
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve));
    stage.atEnd(() => {
      line.answers(undefined);
      line.#server.close();
    });
    return line;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on every connection; undefined: the keystore itself answers again. */
  answers(fault: Fault | undefined): void {
    this.#fault = fault;
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket): void {
    this.#keep(near);
    const fault = this.#fault;
    if (fault === undefined) {
      const [host = '', port = ''] = this.target.split(':');
      const far = connect(Number(port), host);
      this.#keep(far);
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
      near.pipe(far).pipe(near);
      return;
    }
    near.once('data', () => {
      this.faulted += 1;
      if (typeof fault === 'function') fault(near);
      else if (fault !== null) near.end(fault);
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
