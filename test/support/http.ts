import { Agent, request, type IncomingHttpHeaders } from 'node:http';

export interface Asked {
  readonly token?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Parsed where the answer is JSON, else {}. */
  readonly body: Readonly<Record<string, unknown>>;
}

const ANSWER_MS_MAX = 20_000;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** One request over TCP; nothing is normalised, so that odd paths arrive as they are. */
export function ask(
  base: string,
  method: string,
  path: string,
  asked: Asked = {},
): Promise<Answer> {
  const { hostname, port } = new URL(base);
  const payload = asked.raw ?? (asked.body === undefined ? null : JSON.stringify(asked.body));
  const headers: Record<string, string | string[]> = {
    ...(asked.token === undefined ? {} : { authorization: `Bearer ${asked.token}` }),
    ...(payload === null
      ? {}
      : {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(payload)),
        }),
    ...asked.headers,
  };
  return new Promise((resolve, reject) => {
    const asking = request(
      { agent, hostname, port, method, path, headers, timeout: ANSWER_MS_MAX },
      (response) => {
        // An answer without an end: what it says is the business of EventFeed.
        if (/event-stream/.test(response.headers['content-type'] ?? '') && method !== 'HEAD') {
          const { statusCode: status = 0, headers } = response;
          response.on('error', () => undefined).destroy();
          resolve({ status, headers, text: '', body: {} });
          return;
        }
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const json = /json/.test(response.headers['content-type'] ?? '');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            body: json && text !== '' ? (JSON.parse(text) as Answer['body']) : {},
          });
        });
      },
    );
    asking.on('timeout', () => asking.destroy(new Error(`no answer: ${method} ${path}`)));
    asking.on('error', reject);
    asking.end(payload ?? undefined);
  });
}
