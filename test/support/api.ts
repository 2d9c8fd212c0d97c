import { ask } from './http.js';

export interface Answered<T> {
  readonly status: number;
  /** The text itself where the answer is not JSON. */
  readonly body: T;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Of a refusal; null: done as asked. */
  readonly code: string | null;
}
type Extra = Readonly<Record<string, string>>;

/** The HTTP API as one person calls it. */
export class Api {
  /** `token` null: nobody. */
  constructor(
    private readonly url: () => string,
    private readonly token: string | null,
  ) {}

  get<T>(path: string, headers: Extra = {}): Promise<Answered<T>> {
    return this.call('GET', path, undefined, headers);
  }

  post<T>(path: string, body: object = {}, headers: Extra = {}): Promise<Answered<T>> {
    return this.call('POST', path, body, headers);
  }

  /** @throws Error when it is refused */
  async read<T>(path: string, headers: Extra = {}): Promise<T> {
    return done(`GET ${path}`, await this.get<T>(path, headers));
  }

  /** @throws Error when it is refused */
  async command<T>(path: string, body: object = {}): Promise<T> {
    return done(`POST ${path}`, await this.post<T>(path, body));
  }

  /** The whole list, page by page. */
  async list<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    const mark = path.includes('?') ? '&' : '?';
    for (let cursor: string | null = ''; cursor !== null;) {
      const at: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: { items: T[]; nextCursor: string | null } = await this.read(
        `${path}${mark}limit=200${at}`,
      );
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return items;
  }

  async call<T>(
    method: string,
    path: string,
    body: object | undefined,
    headers: Extra = {},
  ): Promise<Answered<T>> {
    const { token } = this;
    const asked = { headers, ...(token === null ? {} : { token }), ...(body ? { body } : {}) };
    const answer = await ask(this.url(), method, path, asked);
    const json = /json/.test(answer.headers['content-type'] ?? '');
    const value = (json ? answer.body : answer.text) as T;
    const named = answer.body['code'];
    const code = answer.status < 300 ? null : typeof named === 'string' ? named : 'no code';
    return { status: answer.status, headers: answer.headers, body: value, code };
  }
}

function done<T>(what: string, { status, body, code }: Answered<T>): T {
  if (code === null) return body;
  throw new Error(`${what} was refused: ${status} ${JSON.stringify(body)}`);
}
