import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from './api.js';
import { type Child, type Children, type Ended, environment, runToEnd } from './child.js';
import { EdgeClient } from './edge-client.js';

interface Endpoints {
  readonly http: string;
  readonly kmip?: string;
  readonly edgeSockets?: Readonly<Record<string, string>>;
}
export interface RegionOptions {
  readonly folder: string;
  readonly region: string;
  /** Services of the Edge inside the server; the demo's own Edge is another process. */
  readonly services: string;
  /** Name of its log. */
  readonly log: string;
}

/** OpenKCM as people speak to it, in one process or several. */
export interface OurServer {
  /** host:port of Core's KMIP door; null while it is stopped or sealed. */
  readonly kmip: string | null;
  /** Resolves when HTTP answers; the region is sealed then. */
  start(): Promise<void>;
  /** After the unseal: resolves when Core answers. */
  serving(): Promise<void>;
  unseal(shares: readonly string[]): Promise<void>;
  as(token: string): Api;
  operator(): Api;
  /** `kcm` as the operator types it. */
  kcm(...args: string[]): Promise<Ended>;
  stop(): Promise<void>;
}

/** OpenKCM as one server (`npm start`) on its own data folder, sealed by shares. */
export class RegionServer implements OurServer {
  #child: Child | null = null;

  constructor(
    readonly options: RegionOptions,
    private readonly children: Children,
  ) {}

  get child(): Child {
    if (this.#child === null) throw new Error(`region ${this.options.region} was never started`);
    return this.#child;
  }

  /** Resolves when HTTP answers; the region is sealed then. */
  async start(): Promise<void> {
    const { folder, region, services, log } = this.options;
    this.#child = this.children.start(`the server of region ${region}`, 'standalone', log, {
      env: {
        KCM_DATA_DIR: folder,
        KCM_REGION: region,
        KCM_SEAL: 'shamir',
        KCM_HTTP_PORT: '0',
        KCM_KMIP_PORT: '0',
        KCM_EDGE_SERVICES: services,
      },
    });
    await this.child.until('endpoints.json', () => this.#read());
  }

  /** After the unseal: resolves when Core and the Edge inside answer. */
  async serving(): Promise<void> {
    await this.child.until('the doors that open with the unseal', () => {
      const endpoints = this.#read();
      return endpoints?.kmip === undefined ? null : endpoints;
    });
  }

  get url(): string {
    return this.#must().http;
  }

  /** host:port of Core's KMIP door; null while it is stopped or sealed. */
  get kmip(): string | null {
    return this.#read()?.kmip ?? null;
  }

  /** The Edge inside the server. */
  edge(service: string): EdgeClient {
    const socket = this.#must().edgeSockets?.[service];
    if (socket === undefined) throw new Error(`no Edge serves ${service} here`);
    return new EdgeClient(socket);
  }

  as(token: string): Api {
    return new Api(() => this.url, token);
  }

  operator(): Api {
    return this.as(readFileSync(join(this.options.folder, 'operator-token'), 'utf8').trim());
  }

  /** `kcm` as the operator of this server types it. */
  kcm(...args: string[]): Promise<Ended> {
    return runToEnd('cli', args, environment({ KCM_DATA_DIR: this.options.folder }));
  }

  async unseal(shares: readonly string[]): Promise<void> {
    for (const share of shares) await this.operator().must('POST', '/v1/sys/unseal', { share });
    await this.serving();
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  #must(): Endpoints {
    const endpoints = this.#read();
    if (endpoints === null) throw new Error(`${this.child.name} does not run`);
    return endpoints;
  }

  #read(): Endpoints | null {
    const path = join(this.options.folder, 'endpoints.json');
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Endpoints) : null;
  }
}
