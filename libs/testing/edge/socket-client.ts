import { request } from 'node:http';

export interface SocketAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  // What a test reads from an answer is what it then checks.
  readonly body: Readonly<Record<string, unknown>>;
  /** As it came, JSON or not. */
  readonly text: string;
}

/** One JSON request over a Unix socket, by Node's own HTTP client. */
export function askSocket(
  socketPath: string,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<SocketAnswer> {
  const sent = body === undefined ? '' : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        socketPath,
        method,
        path,
        headers: {
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = /json/.test(response.headers['content-type'] ?? '');
          const parsed = (isJson ? JSON.parse(text || '{}') : {}) as SocketAnswer['body'];
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: parsed,
            text,
          });
        });
      },
    );
    asking.on('error', reject);
    asking.end(sent);
  });
}
