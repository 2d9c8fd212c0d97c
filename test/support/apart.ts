import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../scripts/lib/server-process.mjs';
import { Api } from './api.js';
import { type Ended, type Env, runToEnd, type Stage } from './processes.js';
import { Server } from './server.js';

export const APPS = ['cmk', 'core', 'projector'] as const;
export type App = (typeof APPS)[number];

/** The applications of a region as processes apart; people speak to cmk alone. */
export class Apart {
  readonly processes: Readonly<Record<App, Server>>;
  readonly #env: Readonly<Record<App, Env>>;
  readonly operatorToken = 'the-operator-of-processes-that-run-apart';

  private constructor(
    private readonly stage: Stage,
    env: Env,
    ports: Readonly<Record<App | 'kmip', number>>,
  ) {
    const shared = {
      ...env,
      KCM_OPERATOR_TOKEN: this.operatorToken,
      KCM_KMIP_PORT: String(ports.kmip),
      KCM_EGRESS_ALLOW: '127.0.0.0/8',
    };
    const neighbours = {
      KCM_CORE_URL: `http://127.0.0.1:${ports.core}`,
      KCM_PROJECTOR_URL: `http://127.0.0.1:${ports.projector}`,
    };
    const envOf = (app: App) => ({ ...shared, KCM_HTTP_PORT: String(ports[app]) });
    this.#env = {
      cmk: { ...envOf('cmk'), ...neighbours },
      core: envOf('core'),
      projector: envOf('projector'),
    };
    const process = (app: App): Server => {
      mkdirSync(stage.path(app), { mode: 0o700 });
      return this.another(app, app);
    };
    this.processes = {
      cmk: process('cmk'),
      core: process('core'),
      projector: process('projector'),
    };
  }

  /** The same program on a folder of the stage, with other settings; not started yet. */
  another(app: App, folder: string, more: Env = {}): Server {
    const program = [join('dist', 'apps', app, 'main.js')];
    const env = { ...this.#env[app], ...more };
    return this.stage.add(new Server(this.stage.path(folder), { env, program }));
  }

  /** `env`: the settings of the stores that they share. Nothing of it runs yet. */
  static async of(stage: Stage, env: Env): Promise<Apart> {
    const [cmk, core, projector, kmip] = await Promise.all([
      freePort(),
      freePort(),
      freePort(),
      freePort(),
    ]);
    return new Apart(stage, env, { cmk, core, projector, kmip });
  }

  /** Resolves when all of them answer. */
  async start(): Promise<this> {
    await Promise.all(APPS.map((app) => this.processes[app].start()));
    return this;
  }

  /** host:port of Core's KMIP door; null while there is none. */
  get kmip(): string | null {
    try {
      return this.processes.core.endpoints.kmip ?? null;
    } catch {
      return null;
    }
  }

  as(token: string | null): Api {
    return new Api(() => this.processes.cmk.url, token);
  }
  get operator(): Api {
    return this.as(this.operatorToken);
  }
  /** Somebody of a tenant, or (null) of the platform. */
  async person(tenant: string | null, subject: string, ...roles: string[]): Promise<Api> {
    const body = { subject, roles, ...(tenant === null ? {} : { tenant }) };
    const { token } = await this.operator.command<{ token: string }>('/v1/sys/tokens', body);
    return this.as(token);
  }

  /** `kcm …` as the operator types it on a machine of its own. */
  kcm(...args: string[]): Promise<Ended> {
    const { url } = this.processes.cmk;
    return runToEnd('cli', args, { KCM_URL: url, KCM_TOKEN: this.operatorToken });
  }

  log(app: App): string {
    const { log } = this.processes[app];
    return existsSync(log) ? readFileSync(log, 'utf8') : '';
  }
}
