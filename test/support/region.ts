import { mkdirSync } from 'node:fs';
import { Api } from './api.js';
import { EdgeClient } from './edge-client.js';
import { type Ended, type Env, runToEnd, type Stage } from './processes.js';
import { type Endpoints, Server } from './server.js';

export interface RegionOptions {
  readonly seal?: 'auto' | 'shamir';
  /** Name of its folder on the stage. */
  readonly folder?: string;
  readonly region?: string;
  /** Services of the Edge inside. */
  readonly services?: string;
  readonly env?: Env;
  /** As `ServerOptions.program`. */
  readonly program?: readonly string[];
}

/** The whole product as one server on its own data folder, and who speaks to it. */
export class Region {
  readonly server: Server;

  constructor(
    private readonly stage: Stage,
    options: RegionOptions = {},
  ) {
    const { folder = 'region', region = 'local', seal = 'auto', services = 'default' } = options;
    const env = { KCM_REGION: region, KCM_SEAL: seal, KCM_EDGE_SERVICES: services };
    mkdirSync(stage.path(folder), { mode: 0o700 });
    const { program } = options;
    const settings = { env: { ...env, ...options.env }, ...(program && { program }) };
    this.server = stage.add(new Server(stage.path(folder), settings));
  }

  /** KCM_DATA_DIR. */
  get data(): string {
    return this.server.dataDir;
  }

  /** Resolves when everything answers; sealed by shares: when HTTP does. */
  async start(): Promise<this> {
    await this.server.start();
    return this;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  /** After an unseal: resolves when Core and the Edge inside answer. */
  async serving(): Promise<void> {
    await this.server.until('the doors that open with the unseal', () => this.kmip !== null);
  }

  /** host:port of Core's KMIP door; null while there is none. */
  get kmip(): string | null {
    return this.#endpoints()?.kmip ?? null;
  }

  as(token: string | null): Api {
    return new Api(() => this.server.url, token);
  }

  get operator(): Api {
    return this.as(this.server.operatorToken);
  }

  /** Somebody of a tenant, or (null) of the platform. */
  async person(tenant: string | null, subject: string, ...roles: string[]): Promise<Api> {
    return this.as(await this.server.tokenFor(tenant, roles, subject));
  }

  /** The Edge inside the server. */
  edge(service: string): EdgeClient {
    const socket = this.server.endpoints.edgeSockets?.[service];
    if (socket === undefined) throw new Error(`no Edge serves ${service} here`);
    return new EdgeClient(this.stage, socket);
  }

  /** `kcm …` as the operator types it beside the server. */
  kcm(...args: string[]): Promise<Ended> {
    return runToEnd('cli', args, { KCM_DATA_DIR: this.data });
  }

  #endpoints(): Endpoints | null {
    try {
      return this.server.endpoints;
    } catch {
      return null;
    }
  }
}
