import { createServer, type Server, type Socket } from 'node:net';

/** A double that stands where a keystore should and answers every request with the same bytes. */
export interface FaultyServer {
  readonly url: string;
  /** First lines of the requests that came. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** The raw bytes of the answer, or who writes them; null takes the request and never answers. */
export type Fault = string | null | ((socket: Socket) => void);

export const httpAnswer = (
  status: string,
  body: string,
  headers = '',
  type = 'application/json',
): string =>
  `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\n${headers}` +
  `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

/** `more` again and again, as fast as it is taken, or each time after `everyMs`. */
const endless =
  (first: string, more: string, everyMs = 0): Fault =>
  (socket) => {
    socket.write(first, 'latin1');
    const next = (): void => {
      if (socket.destroyed) return;
      const room = socket.write(more, 'latin1');
      if (everyMs > 0) setTimeout(next, everyMs);
      else if (room) setImmediate(next);
      else socket.once('drain', next);
    };
    next();
  };
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

/** Answers that never end: whoever reads them all is lost. */
export const ENDLESS: { readonly [what: string]: Fault } = {
  'an endless body': endless(
    `${HEAD}transfer-encoding: chunked\r\n\r\n${chunk('{"plaintext":"')}`,
    chunk('A'.repeat(16_384)),
  ),
  'a body of a terabyte': endless(
    `${HEAD}content-length: 1099511627776\r\n\r\n{"data":{"ciphertext":"`,
    'A'.repeat(16_384),
  ),
  'endless headers': endless('HTTP/1.1 200 OK\r\n', `x-more: ${'a'.repeat(1_000)}\r\n`),
};
/** Answers that come so slowly that they never end. */
export const SLOW: { readonly [what: string]: Fault } = {
  'a body byte by byte': endless(`${HEAD}content-length: 100000\r\n\r\n`, ' ', 20),
  'headers byte by byte': endless('HTTP/1.1 200 OK\r\nx-slow: ', 'a', 20),
  'early hints without end': endless('', 'HTTP/1.1 103 Early Hints\r\n\r\n', 20),
};

export async function startFaultyServer(fault: Fault): Promise<FaultyServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.once('data', (chunk) => {
      requests.push(chunk.toString('latin1').split('\r\n')[0]!);
      if (typeof fault === 'function') fault(socket);
      else if (fault !== null) socket.end(fault);
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
