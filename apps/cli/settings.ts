import { SERVICE_ID } from '@kcm/kernel';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Unreachable, UsageError } from './failures.js';
import { readObject, readText } from './read-file.js';

/** Where the server is and who we are, from the environment and the data folder. */
export interface Settings {
  readonly dataDir: string;
  /** @throws Unreachable with what to do next */
  url(): string;
  /** @throws UsageError with what to do next */
  token(): string;
  /** @throws Unreachable · UsageError */
  edgeSocket(service: string): string;
  /** Of the Edges that run here, by service. */
  edgeSockets(): { readonly [service: string]: string };
  caFile(): string;
}

interface Endpoints {
  readonly http?: string;
  readonly edgeSockets?: { readonly [service: string]: string };
}

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const dataDir = env['KCM_DATA_DIR'] || '.kcm';
  const endpoints = (): Endpoints => {
    const file = join(dataDir, 'endpoints.json');
    return existsSync(file) ? readObject(file) : {};
  };
  return {
    dataDir,
    url() {
      const url = env['KCM_URL'] || endpoints().http;
      if (url !== undefined) return url.replace(/\/$/, '');
      throw new Unreachable(
        `No server is running on ${dataDir}. Start it with \`npm start\`, or set KCM_URL or KCM_DATA_DIR.`,
      );
    },
    token() {
      if (env['KCM_TOKEN']) return env['KCM_TOKEN'];
      const given = env['KCM_TOKEN_FILE'];
      const file = given || join(dataDir, 'operator-token');
      try {
        return readText(file).trim();
      } catch (error) {
        const { message } = error as UsageError;
        const wrong = `KCM_TOKEN_FILE names ${file}, which cannot be read: correct it, or set KCM_TOKEN.`;
        const none = `There is no token: set KCM_TOKEN or KCM_TOKEN_FILE (the operator's lies in ${file}).`;
        throw new UsageError(given ? `${wrong}\n${message}` : none);
      }
    },
    edgeSocket(service) {
      // It becomes a path.
      if (!SERVICE_ID.test(service)) throw new UsageError(`${service} is no id of a service.`);
      const path = endpoints().edgeSockets?.[service] ?? join(dataDir, 'edge', `${service}.sock`);
      if (existsSync(path)) return path;
      throw new Unreachable(`No Edge serves ${service} here: there is no socket ${path}.`);
    },
    edgeSockets: () => endpoints().edgeSockets ?? {},
    caFile: () => join(dataDir, 'ca.pem'),
  };
}
