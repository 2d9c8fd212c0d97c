import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivately } from '../engines/private-file.js';

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
    writePrivately(this.#path, `${JSON.stringify(endpoints)}\n`);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
