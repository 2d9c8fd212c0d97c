import { LIMITS } from '@kcm/kernel';
import type { Server } from 'node:net';

/** How many connections there may be; one peer leaves room for the others. */
export function limitConnections(
  server: Server,
  max = LIMITS.httpConnectionsMax as number,
  perPeerMax = LIMITS.httpConnectionsPerPeerMax as number,
): void {
  const peers = new Map<string, number>();
  server.maxConnections = max;
  server.on('connection', (socket) => {
    const peer = socket.remoteAddress ?? '';
    const count = (peers.get(peer) ?? 0) + 1;
    peers.set(peer, count);
    socket.once('close', () => {
      const left = peers.get(peer)! - 1;
      if (left === 0) peers.delete(peer);
      else peers.set(peer, left);
    });
    if (count > perPeerMax) socket.destroy();
  });
}
