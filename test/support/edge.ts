import { Agent, request } from 'node:http';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Program, type Stage, until } from './processes.js';
import { Proxy } from './proxy.js';
import type { Region } from './region.js';

export interface EdgeAnswer {
  readonly status: number;
  /** Of a refusal; null when it was done. */
  readonly code: string | null;
  readonly ciphertext?: string;
  readonly plaintext?: string;
  readonly keyVersion?: number;
  readonly grantId?: string;
  readonly core?: { readonly connected: boolean };
  readonly leases?: readonly { readonly tenant: string; readonly keyVersion: number }[];
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
    return this.#post(tenant, 'encrypt', { plaintext: base64(plaintext) });
  }

  decrypt(tenant: string, ciphertext: string): Promise<EdgeAnswer> {
    return this.#post(tenant, 'decrypt', { ciphertext });
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

  #post(tenant: string, verb: string, body: object): Promise<EdgeAnswer> {
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

/** An Edge as a process of its own (apps/edge), its wire to Core through a proxy. */
export class EdgeProcess {
  readonly data: string;
  #program: Program | null = null;

  private constructor(
    private readonly stage: Stage,
    readonly id: string,
    private readonly services: readonly string[],
    readonly wire: Proxy,
  ) {
    this.data = stage.path(id);
  }

  /** Enrols it as the operator does and starts it. */
  static async start(
    stage: Stage,
    region: Region,
    id: string,
    services: readonly string[],
  ): Promise<EdgeProcess> {
    mkdirSync(stage.path('identities'), { recursive: true });
    const out = stage.path('identities', id);
    const words = ['edge', 'enrol', id, '--services', services.join(','), '--out', out];
    const enrolled = await region.kcm(...words);
    if (enrolled.code !== 0) throw new Error(`kcm edge enrol failed: ${enrolled.stderr}`);
    const wire = await Proxy.listen(stage, () => region.kmip);
    const edge = new EdgeProcess(stage, id, services, wire);
    await edge.restart();
    return edge;
  }

  get program(): Program {
    return this.#program!;
  }

  /** Resolves when it is connected to Core. */
  async restart(): Promise<void> {
    await this.#program?.stop();
    const identity = this.stage.path('identities', this.id);
    const program = this.stage.start(`edge ${this.id}`, 'edge', {
      KCM_DATA_DIR: this.data,
      KCM_EDGE_SERVICES: this.services.join(','),
      KCM_CORE: this.wire.address,
      KCM_TLS_CERT: join(identity, 'client.pem'),
      KCM_TLS_KEY: join(identity, 'client-key.pem'),
      KCM_TLS_CA: join(identity, 'ca.pem'),
    });
    this.#program = program;
    const client = this.client(this.services[0]!);
    await program.until('its way to Core', async () => {
      const status = await client.status().catch(() => null);
      return status?.core?.connected === true || null;
    });
  }

  client(service: string): EdgeClient {
    return new EdgeClient(this.stage, join(this.data, 'edge', `${service}.sock`));
  }
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
