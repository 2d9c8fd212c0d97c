import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeClient } from './edge-client.js';
import type { Env, Program, Stage } from './processes.js';
import { Proxy } from './proxy.js';
import type { Region } from './region.js';

/** An Edge as a process of its own (apps/edge), its wire to Core through a proxy. */
export class EdgeProcess {
  readonly data: string;
  #program: Program | null = null;

  private constructor(
    private readonly stage: Stage,
    readonly id: string,
    private readonly services: readonly string[],
    readonly wire: Proxy,
    private readonly env: Env,
  ) {
    this.data = stage.path(id);
  }

  /** Enrols it as the operator does and starts it; `env` is added to its environment. */
  static async start(
    stage: Stage,
    region: Pick<Region, 'kmip' | 'kcm'>,
    id: string,
    services: readonly string[],
    env: Env = {},
  ): Promise<EdgeProcess> {
    mkdirSync(stage.path('identities'), { recursive: true });
    const wire = await Proxy.listen(stage, () => region.kmip);
    const edge = new EdgeProcess(stage, id, services, wire, env);
    await edge.enrol(region);
    await edge.restart();
    return edge;
  }

  /** Also again: a new certificate in the same files. */
  async enrol(region: Pick<Region, 'kcm'>): Promise<void> {
    const words = ['--services', this.services.join(','), '--out', this.identity];
    const enrolled = await region.kcm('edge', 'enrol', this.id, ...words);
    if (enrolled.code !== 0) throw new Error(`kcm edge enrol failed: ${enrolled.stderr}`);
  }

  /** The folder of its certificate. */
  get identity(): string {
    return this.stage.path('identities', this.id);
  }

  get program(): Program {
    return this.#program!;
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  /** A new boot. Resolves when it is connected to Core, or (`alone`) when it answers at all. */
  async restart(alone = false): Promise<void> {
    await this.#program?.stop();
    const { identity } = this;
    const program = this.stage.start(`edge ${this.id}`, 'edge', {
      KCM_DATA_DIR: this.data,
      KCM_EDGE_SERVICES: this.services.join(','),
      KCM_CORE: this.wire.address,
      KCM_TLS_CERT: join(identity, 'client.pem'),
      KCM_TLS_KEY: join(identity, 'client-key.pem'),
      KCM_TLS_CA: join(identity, 'ca.pem'),
      ...this.env,
    });
    this.#program = program;
    if (!alone) return this.connected();
    const client = this.client(this.services[0]!);
    await program.until('its socket', () => client.status().catch(() => null));
  }

  /** Resolves when it has Core at the other end of its wire, for requests and for notices. */
  async connected(): Promise<void> {
    const client = this.client(this.services[0]!);
    await this.program.until('its way to Core', async () => {
      const status = await client.status().catch(() => null);
      return status?.core?.connected === true || null;
    });
  }

  client(service: string): EdgeClient {
    return new EdgeClient(this.stage, join(this.data, 'edge', `${service}.sock`));
  }
}
