import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Endpoints {
  readonly http: string;
  /** host:port; absent while sealed. */
  readonly kmip?: string;
  readonly edgeSockets?: Readonly<Record<string, string>>;
}

/** `<data>/endpoints.json`: where everything answers; absent while nothing does. */
export class EndpointsFile {
  readonly #path: string;

  constructor(dataDir: string) {
    this.#path = join(dataDir, 'endpoints.json');
    this.remove();
  }

  write(endpoints: Endpoints): void {
    writeFileSync(`${this.#path}.new`, `${JSON.stringify(endpoints)}\n`, { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
