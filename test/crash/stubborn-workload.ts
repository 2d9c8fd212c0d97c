import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { askEdge, type EdgeAnswer } from '../support/edge-socket.js';
import type { MortalServer } from './mortal-server.js';

/** A ciphertext that an Edge gave, and what it must open to. */
export interface Sample {
  readonly plaintext: string;
  readonly ciphertext: string;
  readonly keyVersion: number;
}
const PATIENCE_MS = 30_000;

/** A workload at the Edge of one service: it asks again until it has what it needs. */
export class StubbornWorkload {
  constructor(
    private readonly mortal: MortalServer,
    private readonly service: string,
  ) {}

  /** @throws Error when nothing is encrypted in time */
  async encrypt(tenant: string): Promise<Sample> {
    const plaintext = randomBytes(48).toString('base64');
    const answer = await this.#until(tenant, 'encrypt', { plaintext }, ({ status }) =>
      status === 200 ? null : 'nothing was encrypted',
    );
    const { ciphertext, keyVersion } = answer.body as { ciphertext: string; keyVersion: number };
    return { plaintext, ciphertext, keyVersion };
  }

  /** @throws Error when another plaintext comes out, or none in time */
  async opens(tenant: string, { plaintext, ciphertext, keyVersion }: Sample): Promise<void> {
    await this.#until(tenant, 'decrypt', { ciphertext }, ({ status, body }) => {
      if (status !== 200) return `version ${keyVersion} was not opened`;
      if (body['plaintext'] === plaintext) return null;
      throw new Error(`${tenant}: version ${keyVersion} opens to other bytes`);
    });
  }

  /** @throws Error when it still opens, or is refused for another reason */
  async refused(tenant: string, { ciphertext }: Sample, code: string): Promise<void> {
    await this.#until(tenant, 'decrypt', { ciphertext }, ({ body }) =>
      body['code'] === code ? null : `not refused with ${code}`,
    );
  }

  /** Asks until `wrong` says null. */
  async #until(
    tenant: string,
    verb: string,
    body: object,
    wrong: (answer: EdgeAnswer) => string | null,
  ): Promise<EdgeAnswer> {
    const end = performance.now() + PATIENCE_MS;
    for (let last = 'no answer'; ;) {
      await this.mortal.up();
      const answer = await this.#once(`/v1/tenants/${tenant}/${verb}`, body);
      if (answer !== null) {
        const fault = wrong(answer);
        if (fault === null) return answer;
        last = `${fault}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`;
      }
      if (performance.now() > end) throw new Error(`${tenant}: ${last}`);
      await sleep(20);
    }
  }

  async #once(path: string, body: object): Promise<EdgeAnswer | null> {
    try {
      const socket = this.mortal.server.endpoints.edgeSockets![this.service]!;
      return await askEdge(socket, path, body);
    } catch {
      return null;
    }
  }
}
