import { LIMITS } from '@kcm/kernel';
import type { Socket } from 'node:net';

interface Limits {
  readonly max: number;
  readonly perNetworkMax: number;
}
const USUAL: Limits = {
  max: LIMITS.kmipHandshakesMax,
  perNetworkMax: LIMITS.kmipHandshakesPerPeerMax,
};
type Ends = Pick<Socket, 'remoteAddress' | 'remotePort'>;
const nameOf = ({ remoteAddress, remotePort }: Ends): string => `${remoteAddress}:${remotePort}`;

/**
 * Connections that have not shown a certificate yet. Where there are too many, of one network or of
 * all, the oldest gives way: who means it shows its certificate long before it is the oldest.
 */
export class Handshakes {
  readonly #open = new Map<string, { readonly socket: Socket; readonly network: string }>();
  readonly #networks = new Map<string, Set<string>>();

  constructor(
    private readonly networkOf: (address: string) => string,
    /** The oldest had to go. */
    private readonly onDisplaced: (network: string) => void,
    private readonly limits: Limits = USUAL,
  ) {}

  begin(socket: Socket): void {
    const network = this.networkOf(socket.remoteAddress ?? '');
    const name = nameOf(socket);
    const same = this.#networks.get(network) ?? new Set();
    this.#networks.set(network, same.add(name));
    this.#open.set(name, { socket, network });
    socket.once('close', () => this.#forget(name, socket));
    if (same.size > this.limits.perNetworkMax) this.#displace(first(same));
    if (this.#open.size > this.limits.max) this.#displace(first(this.#open.keys()));
  }

  /** Its certificate was looked at, whatever came of it. */
  done(socket: Ends): void {
    this.#forget(nameOf(socket));
  }

  #displace(name: string): void {
    const { socket, network } = this.#open.get(name)!;
    this.#forget(name);
    socket.destroy();
    this.onDisplaced(network);
  }

  #forget(name: string, socket?: Socket): void {
    const known = this.#open.get(name);
    if (known === undefined || (socket !== undefined && known.socket !== socket)) return;
    this.#open.delete(name);
    const same = this.#networks.get(known.network)!;
    same.delete(name);
    if (same.size === 0) this.#networks.delete(known.network);
  }
}

const first = (names: Iterable<string>): string => {
  for (const name of names) return name;
  throw new Error('there is none');
};
