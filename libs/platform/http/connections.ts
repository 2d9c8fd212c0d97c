import { connectionBudget, LIMITS } from '@kcm/kernel';
import type { Server } from 'node:net';
import { networkOf } from './network.js';

interface Limits {
  readonly max: number;
  readonly perNetworkMax: number;
  /** Its connections are those of many: the limit of one network is not its own. */
  readonly many: (address: string) => boolean;
}
const USUAL: Limits = {
  max: LIMITS.httpConnectionsMax,
  perNetworkMax: LIMITS.httpConnectionsPerPeerMax,
  many: () => false,
};

/** How many connections there may be; one network leaves room for the others. */
export function limitConnections(server: Server, given: Partial<Limits> = {}): void {
  const { max, perNetworkMax, many } = { ...USUAL, ...given };
  const networks = new Map<string, number>();
  connectionBudget().guard(server, max);
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const network = networkOf(address);
    const count = (networks.get(network) ?? 0) + 1;
    networks.set(network, count);
    socket.once('close', () => {
      const left = networks.get(network)! - 1;
      if (left === 0) networks.delete(network);
      else networks.set(network, left);
    });
    if (count > perNetworkMax && !many(address)) socket.destroy();
  });
}
