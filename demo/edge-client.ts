import { Agent, request } from 'node:http';

export interface EdgeAnswer {
  readonly status: number;
  /** Of a refusal; null when it was done. */
  readonly code: string | null;
  readonly ciphertext?: string;
  readonly plaintext?: string;
  readonly keyVersion?: number;
  readonly core?: { readonly connected: boolean };
  readonly items?: readonly { readonly ciphertext?: string; readonly error?: unknown }[];
}
/** A ciphertext and what it must open to. */
export interface Sample {
  readonly tenant: string;
  readonly plaintext: Buffer;
  readonly ciphertext: string;
}

/** A workload that calls its Edge over the Unix socket, on connections that it keeps. */
export class EdgeClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(readonly socketPath: string) {}

  encrypt(tenant: string, plaintext: Buffer): Promise<EdgeAnswer> {
    return this.#post(tenant, 'encrypt', { plaintext: plaintext.toString('base64') });
  }

  encryptBatch(tenant: string, plaintext: Buffer, items: number): Promise<EdgeAnswer> {
    const item = { plaintext: plaintext.toString('base64') };
    return this.#post(tenant, 'encrypt-batch', {
      items: Array.from({ length: items }, () => item),
    });
  }

  decrypt(tenant: string, ciphertext: string): Promise<EdgeAnswer> {
    return this.#post(tenant, 'decrypt', { ciphertext });
  }

  /** @throws Error unless it is encrypted */
  async sample(tenant: string, plaintext: Buffer): Promise<Sample> {
    const { status, code, ciphertext } = await this.encrypt(tenant, plaintext);
    if (ciphertext !== undefined) return { tenant, plaintext, ciphertext };
    throw new Error(`the Edge did not encrypt for ${tenant}: ${status} ${code}`);
  }

  /** True: the very bytes came out. A refusal: its code. */
  async opens({ tenant, plaintext, ciphertext }: Sample): Promise<true | string> {
    const answer = await this.decrypt(tenant, ciphertext);
    if (answer.plaintext === undefined) return answer.code ?? `status ${answer.status}`;
    return plaintext.equals(Buffer.from(answer.plaintext, 'base64')) || 'other bytes came out';
  }

  /** Whether it has Core at the other end of its wire. */
  async reachesCore(): Promise<boolean> {
    const answer = await this.#send('GET', '/v1/status', '').catch(() => null);
    return answer?.core?.connected === true;
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(tenant: string, verb: string, body: object): Promise<EdgeAnswer> {
    return this.#send('POST', `/v1/tenants/${tenant}/${verb}`, JSON.stringify(body));
  }

  #send(method: string, path: string, payload: string): Promise<EdgeAnswer> {
    const { socketPath } = this;
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(payload),
    };
    return new Promise((resolve, reject) => {
      const options = { socketPath, path, method, agent: this.#agent, headers };
      const call = request(options, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const body = JSON.parse(text) as Omit<EdgeAnswer, 'status' | 'code'>;
          resolve({ code: null, ...body, status: incoming.statusCode ?? 0 });
        });
        incoming.on('error', reject);
      });
      call.on('error', reject);
      call.end(payload);
    });
  }
}
