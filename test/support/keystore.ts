import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program, Stage } from './processes.js';

/** One call as the customer's own audit file shows it. */
export interface LoggedCall {
  readonly time: string;
  readonly requestId: string;
  readonly callId: string | null;
  readonly traceId: string | null;
  readonly operation: string;
  readonly keyId: string | null;
  readonly outcome: string;
}
export interface CustomerKey {
  readonly id: string;
  readonly name: string;
  readonly token: string;
}

/** The customers' keystore (`kcm keystore serve`), a process of its own that its owner administers. */
export class Keystore {
  private constructor(
    private readonly folder: string,
    readonly program: Program,
    readonly url: string,
  ) {}

  static async start(stage: Stage, name = 'bank'): Promise<Keystore> {
    const folder = stage.path(name);
    const args = ['--data', folder, '--port', '0'];
    const program = stage.start(`keystore ${name}`, 'keystore', {}, args);
    const file = join(folder, 'endpoint.json');
    const url = await program.until('its address', () =>
      existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { url: string }).url : null,
    );
    return new Keystore(folder, program, url);
  }

  /** host:port. */
  get address(): string {
    return new URL(this.url).host;
  }

  create(name: string): Promise<CustomerKey> {
    return this.#administer('', { name });
  }

  async act(
    key: CustomerKey,
    verb: 'disable' | 'enable' | 'rotate' | 'delete' | 'withdraw' | 'allow',
    body: object = {},
  ): Promise<void> {
    await this.#administer(`/${key.id}/${verb}`, body);
  }

  /** Every call for this key that the audit file shows, in order. */
  calls(key: CustomerKey): readonly LoggedCall[] {
    return readFileSync(join(this.folder, 'audit.jsonl'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LoggedCall)
      .filter(({ keyId }) => keyId === key.id);
  }

  async #administer(path: string, body: object): Promise<CustomerKey> {
    const token = readFileSync(join(this.folder, 'admin-token'), 'utf8').trim();
    const response = await fetch(`${this.url}/admin/keys${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as CustomerKey & { readonly detail?: string };
    if (!response.ok) throw new Error(`the keystore refused ${path}: ${answer.detail}`);
    return answer;
  }
}
