import { Agent, request } from 'node:http';
import { type Stage, until } from './processes.js';

export interface EdgeAnswer {
  readonly status: number;
  /** Of a refusal; null when it was done. */
  readonly code: string | null;
  readonly ciphertext?: string;
  readonly plaintext?: string;
  readonly keyVersion?: number;
  readonly grantId?: string;
  /** Of a data key. */
  readonly id?: string;
  readonly wrapped?: string;
  readonly expiresAt?: string;
  readonly stale?: true;
  readonly rewrapped?: string;
  readonly core?: { readonly connected: boolean };
  readonly leases?: readonly {
    readonly tenant: string;
    readonly keyVersion: number;
    readonly endsInMs: number;
  }[];
}
/** A record and what it must open to. */
export interface Sample {
  readonly tenant: string;
  readonly plaintext: string;
  readonly ciphertext: string;
}

/** A workload at an Edge's Unix socket. */
export class EdgeClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(
    stage: Stage,
    private readonly socketPath: string,
  ) {
    stage.atEnd(() => this.#agent.destroy());
  }

  encrypt(tenant: string, plaintext: string): Promise<EdgeAnswer> {
    return this.ask(tenant, 'encrypt', { plaintext: base64(plaintext) });
  }

  decrypt(tenant: string, ciphertext: string): Promise<EdgeAnswer> {
    return this.ask(tenant, 'decrypt', { ciphertext });
  }

  /** A new record. @throws Error when it is refused for so long */
  sample(tenant: string, plaintext: string, ms = 15_000): Promise<Sample> {
    return until(`a record of ${tenant}`, ms, async () => {
      const { ciphertext } = await this.encrypt(tenant, plaintext);
      return ciphertext === undefined ? null : { tenant, plaintext, ciphertext };
    });
  }

  /** True: the very bytes came out. A refusal: its code. */
  async opens({ tenant, plaintext, ciphertext }: Sample): Promise<true | string> {
    const answer = await this.decrypt(tenant, ciphertext);
    if (answer.plaintext === undefined) return answer.code ?? `status ${answer.status}`;
    return answer.plaintext === base64(plaintext) || 'other bytes came out';
  }

  status(): Promise<EdgeAnswer> {
    return this.#send('GET', '/v1/status', '');
  }

  /** `POST /v1/tenants/{tenant}/{verb}`. */
  ask(tenant: string, verb: string, body: object): Promise<EdgeAnswer> {
    return this.#send('POST', `/v1/tenants/${tenant}/${verb}`, JSON.stringify(body));
  }

  #send(method: string, path: string, payload: string): Promise<EdgeAnswer> {
    const { socketPath } = this;
    const length = Buffer.byteLength(payload);
    const headers = { 'content-type': 'application/json', 'content-length': length };
    return new Promise((resolve, reject) => {
      const options = { socketPath, path, method, agent: this.#agent, headers };
      const call = request(options, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const body = JSON.parse(text) as Omit<EdgeAnswer, 'status' | 'code'>;
          resolve({ code: null, ...body, status: incoming.statusCode ?? 0 });
        });
      });
      call.on('error', reject);
      call.end(payload);
    });
  }
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
