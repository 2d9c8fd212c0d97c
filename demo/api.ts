/** problem+json, as far as the demo reads it. */
interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly step?: string;
}
export interface Answer<T> {
  readonly status: number;
  readonly body: T;
  /** null: done as asked. */
  readonly refused: Problem | null;
}

const ANSWER_MS_MAX = 30_000;

/** The HTTP API as one person calls it. */
export class Api {
  constructor(
    private readonly url: () => string,
    private readonly token: string,
  ) {}

  get<T>(path: string): Promise<Answer<T>> {
    return this.#call('GET', path);
  }

  post<T>(path: string, body: object = {}): Promise<Answer<T>> {
    return this.#call('POST', path, body);
  }

  /** @throws Error when it is refused: what the demo's own set-up needs */
  async must<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const answer = await this.#call<T>(method, path, method === 'POST' ? (body ?? {}) : undefined);
    if (answer.refused === null) return answer.body;
    const { code, detail } = answer.refused;
    throw new Error(`${method} ${path} was refused (${answer.status} ${code}): ${detail}`);
  }

  /** The whole list, page by page. */
  async list<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const query =
        cursor === '' ? '?limit=200' : `?limit=200&cursor=${encodeURIComponent(cursor)}`;
      const page: { items: T[]; nextCursor: string | null } = await this.must('GET', path + query);
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return items;
  }

  async #call<T>(method: string, path: string, body?: object): Promise<Answer<T>> {
    const response = await fetch(this.url() + path, {
      method,
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = (response.headers.get('content-type') ?? '').includes('json');
    const value = (json && text !== '' ? JSON.parse(text) : text) as T;
    const refused = response.ok ? null : (value as Problem);
    return { status: response.status, body: value, refused };
  }
}
