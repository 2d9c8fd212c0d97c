import { createServer, type Server, type Socket } from 'node:net';

/** A double that stands where a keystore should and answers every request with the same bytes. */
export interface FaultyServer {
  readonly url: string;
  /** First lines of the requests that came. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** The raw bytes of the answer; null takes the request and never answers. */
export type Fault = string | null;

export const httpAnswer = (status: string, body: string, headers = ''): string =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n${headers}` +
  `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;

export async function startFaultyServer(fault: Fault): Promise<FaultyServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.once('data', (chunk) => {
      requests.push(chunk.toString('latin1').split('\r\n')[0]!);
      if (fault !== null) socket.end(fault);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
