import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Api } from './api.js';
import { type Child, type Children, type Ended, environment, runToEnd } from './child.js';
import type { OurServer } from './region-server.js';

export const APPS = ['cmk', 'core', 'projector'] as const;
export type App = (typeof APPS)[number];
type Env = Readonly<Record<string, string>>;

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

/** OpenKCM as processes apart over servers, sealed by shares; people speak to `cmk` alone. */
export class RegionApart implements OurServer {
  readonly #children = new Map<App, Child>();
  readonly #token = randomBytes(32).toString('base64url');

  private constructor(
    private readonly folder: string,
    private readonly children: Children,
    private readonly env: Readonly<Record<App, Env>>,
  ) {}

  /** `engines`: the settings that all of them share. */
  static async of(folder: string, children: Children, engines: Env): Promise<RegionApart> {
    const [cmk, core, projector, kmip] = await Promise.all([1, 2, 3, 4].map(freePort));
    const shared = { ...engines, KCM_SEAL: 'shamir', KCM_EGRESS_ALLOW: '127.0.0.0/8' };
    const at = (port: string | undefined) => `http://127.0.0.1:${port}`;
    return new RegionApart(folder, children, {
      cmk: {
        ...shared,
        KCM_HTTP_PORT: cmk!,
        KCM_CORE_URL: at(core),
        KCM_PROJECTOR_URL: at(projector),
      },
      core: { ...shared, KCM_HTTP_PORT: core!, KCM_KMIP_PORT: kmip! },
      projector: { ...shared, KCM_HTTP_PORT: projector! },
    });
  }

  async start(): Promise<void> {
    await Promise.all(APPS.map((app) => this.startOne(app)));
  }

  /** Resolves when it answers over HTTP. */
  async startOne(app: App): Promise<void> {
    const folder = join(this.folder, app);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // What a killed process left would be taken for a sign of life.
    rmSync(join(folder, 'endpoints.json'), { force: true });
    const env = { ...this.env[app], KCM_DATA_DIR: folder, KCM_OPERATOR_TOKEN: this.#token };
    const child = this.children.start(app, app, app, { env });
    this.#children.set(app, child);
    await child.until('endpoints.json', () => this.#endpoints(app));
  }

  /** By kill -9. */
  async kill(app: App): Promise<void> {
    const child = this.#children.get(app)!;
    child.killNow();
    await child.ended;
  }

  async serving(): Promise<void> {
    const core = this.#children.get('core')!;
    await core.until('the door that opens with the unseal', () => this.kmip);
  }

  get url(): string {
    return this.#endpoints('cmk')!.http;
  }
  get kmip(): string | null {
    return this.#endpoints('core')?.kmip ?? null;
  }
  as(token: string): Api {
    return new Api(() => this.url, token);
  }
  operator(): Api {
    return this.as(this.#token);
  }
  kcm(...args: string[]): Promise<Ended> {
    return runToEnd('cli', args, environment({ KCM_URL: this.url, KCM_TOKEN: this.#token }));
  }

  async unseal(shares: readonly string[]): Promise<void> {
    for (const share of shares) await this.operator().must('POST', '/v1/sys/unseal', { share });
    await this.serving();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#children.values()].map((child) => child.stop()));
  }

  #endpoints(app: App): { readonly http: string; readonly kmip?: string } | null {
    const child = this.#children.get(app);
    const path = join(this.folder, app, 'endpoints.json');
    if (child === undefined || !child.running || !existsSync(path)) return null;
    return JSON.parse(readFileSync(path, 'utf8')) as { http: string; kmip?: string };
  }
}
