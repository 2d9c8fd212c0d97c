import { request } from 'node:http';

export interface SocketAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  // What a test reads from an answer is what it then checks.
  readonly body: Readonly<Record<string, unknown>>;
}

/** One JSON request over a Unix socket, by Node's own HTTP client. */
export function askSocket(
  socketPath: string,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<SocketAnswer> {
  const text = body === undefined ? '' : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        socketPath,
        method,
        path,
        headers: {
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const parsed = JSON.parse(Buffer.concat(chunks).toString() || '{}') as object;
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: parsed as SocketAnswer['body'],
          });
        });
      },
    );
    asking.on('error', reject);
    asking.end(text);
  });
}
