import { Agent, request } from 'node:http';

export interface EdgeAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One call to a service's Edge over its Unix socket; a new connection each time. */
export function askEdge(
  socketPath: string,
  path: string,
  body: object,
  extra: Readonly<Record<string, string>> = {},
): Promise<EdgeAnswer> {
  const payload = JSON.stringify(body);
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(payload)),
    ...extra,
  };
  return new Promise((resolve, reject) => {
    const options = { socketPath, path, method: 'POST', headers, agent: new Agent() };
    const asking = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const parsed = JSON.parse(text) as EdgeAnswer['body'];
        resolve({ status: response.statusCode ?? 0, body: parsed });
      });
    });
    asking.on('error', reject);
    asking.end(payload);
  });
}
