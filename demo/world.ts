import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Children, ROOT } from './child.js';
import { EdgeClient } from './edge-client.js';
import type { CustomerKms } from './keystores/customer-kms.js';
import { softwareKms } from './keystores/software.js';
import { vaultKms } from './keystores/vault.js';
import { Proxy } from './proxy.js';
import { type Engines, startEngines } from './engines.js';
import { RegionApart } from './region-apart.js';
import { type OurServer, RegionServer } from './region-server.js';

export type KeystoreName = 'software' | 'vault';
export type EnginesName = 'embedded' | 'distributed';

export const LEASE_SECONDS = 10;
/** What we promise after the customer's no: the lease's end and one second. */
export const BOUND_MS = (LEASE_SECONDS + 1) * 1_000;
/** The service whose keys the demo uses. */
export const SERVICE = 'billing';

/**
 * Where the demo plays: a throw-away folder, and the processes of three parties: the platform
 * (server, Edge), and two customers with a KMS each. All end with the demo, each by its own pid.
 */
export class World {
  /** Short, so that socket paths fit (107 bytes). */
  readonly folder = mkdtempSync(join(tmpdir(), 'kcm-'));
  readonly children = new Children(join(this.folder, 'logs'));
  #server: OurServer | null = null;
  #engines: Engines | null = null;
  #startEdge: () => Promise<void> = () => Promise.resolve();
  #stopEdge: () => Promise<void> = () => Promise.resolve();
  readonly #customers: CustomerKms[] = [];
  #proxy: Proxy | null = null;
  #edge: EdgeClient | null = null;

  /** The processes of the region, where they run apart. */
  apart: RegionApart | null = null;

  constructor(readonly keystore: KeystoreName) {
    for (const part of ['logs', 'customers', 'output']) mkdirSync(join(this.folder, part));
  }

  /** What the region stands on; nothing of it runs yet. */
  async prepare(engines: EnginesName): Promise<void> {
    if (engines === 'embedded') {
      this.#server = this.region('local', 'region', 'default');
      return;
    }
    this.#engines = await startEngines(join(this.folder, 'kafka'));
    this.apart = await RegionApart.of(join(this.folder, 'apart'), this.children, this.#engines.env);
    this.#server = this.apart;
  }

  get server(): OurServer {
    if (this.#server === null) throw new Error('the region was never prepared');
    return this.#server;
  }

  /** A server of ours on a folder of its own; not started yet. */
  region(region: string, folder: string, services: string): RegionServer {
    const options = { folder: join(this.folder, folder), region, services, log: folder };
    return new RegionServer(options, this.children);
  }

  async customer(name: string): Promise<CustomerKms> {
    const folder = join(this.folder, 'customers', name);
    const kms =
      this.keystore === 'software'
        ? await softwareKms(this.children, name, folder)
        : await vaultKms(name, folder);
    this.#customers.push(kms);
    return kms;
  }

  /** The demo's own Edge: a process without a disk of its own, behind a wire that can be cut. */
  async startEdge(identity: string): Promise<EdgeClient> {
    this.#proxy = await Proxy.listen(() => this.server.kmip);
    const data = join(this.folder, 'edge');
    const env = {
      KCM_DATA_DIR: data,
      KCM_EDGE_SERVICES: SERVICE,
      KCM_CORE: this.#proxy.address,
      KCM_TLS_CERT: join(identity, 'client.pem'),
      KCM_TLS_KEY: join(identity, 'client-key.pem'),
      KCM_TLS_CA: join(identity, 'ca.pem'),
      ...this.#messaging(),
    };
    const client = new EdgeClient(join(data, 'edge', `${SERVICE}.sock`));
    this.#edge = client;
    this.#startEdge = async () => {
      const child = this.children.start('the Edge', 'edge', 'edge', { env });
      this.#stopEdge = async () => {
        child.killNow();
        await child.ended;
      };
      await child.until('its way to Core', async () => (await client.reachesCore()) || null);
    };
    await this.#startEdge();
    return client;
  }

  /** An Edge follows revocations over Kafka too, where there is one. */
  #messaging(): Readonly<Record<string, string>> {
    const url = this.#engines?.env['KCM_MESSAGING'];
    return url === undefined ? {} : { KCM_MESSAGING: url };
  }

  /** By kill -9; resolves when the next one has its way to Core. */
  async restartEdge(): Promise<void> {
    await this.#stopEdge();
    await this.#startEdge();
  }

  get edge(): EdgeClient {
    if (this.#edge === null) throw new Error('the Edge was never started');
    return this.#edge;
  }

  /** The wire between the Edge and Core. */
  get wire(): Proxy {
    if (this.#proxy === null) throw new Error('the Edge was never started');
    return this.#proxy;
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** For demo-output/. @returns where it lies until then */
  save(name: string, content: string): string {
    const path = this.path('output', name);
    writeFileSync(path, content);
    return path;
  }

  /** What was saved becomes demo-output/, in the place of the last run's. @returns its path */
  publish(): string {
    const output = join(ROOT, 'demo-output');
    rmSync(output, { recursive: true, force: true });
    cpSync(this.path('output'), output, { recursive: true });
    return output;
  }

  /** Every process ends. */
  async stop(): Promise<void> {
    this.#edge?.close();
    await this.children.stop();
    this.#proxy?.close();
    await Promise.all(this.#customers.map((kms) => kms.stop()));
    await this.#engines?.stop();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
