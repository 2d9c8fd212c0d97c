import { setTimeout as sleep } from 'node:timers/promises';
import { commandIdOf, type CommandId } from '@kcm/kernel';
import { type Answer, ask } from '../support/http.js';
import type { MortalServer } from './mortal-server.js';

export interface Caller {
  readonly token: string;
  readonly subject: string;
  /** null: of the platform. */
  readonly tenant: string | null;
}
export interface Acknowledged {
  readonly commandId: CommandId;
  readonly what: string;
  /** Type of the one event by which the command is known. */
  readonly event: string;
}

/** What another try may answer otherwise: the rest is an answer. */
const TRY_AGAIN = new Set([
  'ledger_unavailable',
  'sealed',
  'read_model_behind',
  'revision_conflict',
]);
const TENANT = /^\/v1\/tenants\/([^/]+)/;

/** A client that repeats a command with the same key until it is answered, and keeps what it heard. */
export class StubbornClient {
  readonly acknowledged: Acknowledged[] = [];
  #keys = 0;
  repeated = 0;

  constructor(
    private readonly mortal: MortalServer,
    readonly name: string,
  ) {}

  /**
   * `ends`: the code with which the work of an accepted command ends.
   * @throws Error when the command is refused otherwise
   */
  async command(
    who: Caller,
    method: string,
    path: string,
    body: object | null,
    event: string,
    ends: string | null = null,
  ): Promise<Answer> {
    this.#keys += 1;
    const key = `${this.name}-${this.#keys}`;
    const answer = await this.#until(who, method, path, body, { 'idempotency-key': key }, ends);
    if (ends !== null && answer.body['code'] !== ends)
      throw new Error(`${this.name}: ${method} ${path} did not end with ${ends}`);
    const tenant = TENANT.exec(path)?.[1] ?? who.tenant;
    const commandId = commandIdOf([tenant, who.subject, method, path, key]);
    this.acknowledged.push({ commandId, what: `${method} ${path}`, event });
    return answer;
  }

  async get<T>(who: Caller, path: string): Promise<T> {
    return (await this.#until(who, 'GET', path, null, {})).body as T;
  }

  /** An answer that is not JSON; null while it is refused with `notYet`. */
  async text(who: Caller, path: string, notYet: string | null = null): Promise<string | null> {
    const answer = await this.#until(who, 'GET', path, null, {}, notYet);
    return answer.status < 300 ? answer.text : null;
  }

  async #until(
    { token }: Caller,
    method: string,
    path: string,
    body: object | null,
    headers: Readonly<Record<string, string>>,
    expected: string | null = null,
  ): Promise<Answer> {
    for (let attempt = 0; ; attempt += 1) {
      if (attempt > 0) this.repeated += 1;
      const answer = await this.#once(method, path, {
        token,
        headers,
        ...(body === null ? {} : { body }),
      });
      if (answer === null) await sleep(10);
      else if (answer.status < 300 || answer.body['code'] === expected) return answer;
      else if (TRY_AGAIN.has(String(answer.body['code']))) await sleep(20);
      else throw new Error(`${this.name}: ${method} ${path}: ${answer.status} ${answer.text}`);
    }
  }

  /** null: the connection was lost, and what became of the request is not known. */
  async #once(
    method: string,
    path: string,
    asked: Parameters<typeof ask>[3],
  ): Promise<Answer | null> {
    await this.mortal.up();
    try {
      return await this.mortal.server.ask(method, path, asked);
    } catch {
      return null;
    }
  }
}
