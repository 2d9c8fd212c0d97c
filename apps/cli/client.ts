import { type Answer, answerOf, refusalOf, resultOf, unexpected } from './answer.js';
import { Refused, repeatable, Unreachable } from './failures.js';
import { type ServerSent, serverSentEvents } from './server-sent-events.js';
import type { Settings } from './settings.js';

const OPERATION = /\/v1\/operations\/([^/?#]+)$/;
/** The longest that the server takes over anything but a rebuild is a third of that. */
const ANSWER_MS_MAX = 30_000;
/** A server that has nothing to say says so more often. */
const SILENCE_MS_MAX = 45_000;

type Query = { readonly [name: string]: string | number | undefined };

/** The HTTP API as the CLI uses it. @throws Refused · Unreachable · UsageError */
export class Client {
  /** Id of the operation that an answer of 202 named: the work goes on. */
  pending: string | null = null;
  /** A list was longer than was asked for. */
  more = false;

  /** @param key makes what it sends one command, however often it is sent; null: of no command */
  constructor(
    private readonly settings: Settings,
    private readonly key: string | null = null,
    private readonly answerMs: number | null = ANSWER_MS_MAX,
  ) {}

  /** The same with another limit for an answer; null: as long as it takes. */
  within(answerMs: number | null): Client {
    return new Client(this.settings, this.key, answerMs);
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#send<T>('GET', path + queryText(query), undefined);
  }

  post<T>(path: string, body: object = {}): Promise<T> {
    return this.#send<T>('POST', path, body);
  }

  put<T>(path: string, body: object): Promise<T> {
    return this.#send<T>('PUT', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.#send<T>('DELETE', path, undefined);
  }

  /** The list, page by page; `more` says that it goes on. */
  async list<T>(path: string, query: Query = {}, max = 1_000): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.get<{ items: T[]; nextCursor: string | null }>(path, {
        ...query,
        cursor,
      });
      if (!Array.isArray(page.items)) throw unexpected('its answer is no list');
      items.push(...page.items);
      const next = page.nextCursor ?? undefined;
      if (next !== undefined && next === cursor) throw unexpected('its list does not get on');
      cursor = next;
    } while (cursor !== undefined && items.length < max);
    this.more = cursor !== undefined || items.length > max;
    return items.slice(0, max);
  }

  /**
   * The server-sent events of one connection, after `last` if that is not null. @throws Unreachable
   * when it is lost or silent: without its end the answer has no end.
   */
  async *events(path: string, query: Query, last: string | null): AsyncGenerator<ServerSent> {
    const asked = { path: path + queryText(query), headers: lastEvent(last) };
    yield* this.#follow(asked, 'text/event-stream', serverSentEvents);
  }

  /**
   * An answer of any length, piece by piece. @throws Unreachable when it is cut or silent
   */
  async *bytes(path: string, type: string): AsyncGenerator<Uint8Array> {
    yield* this.#follow({ path, headers: {} }, type, async function* (body, heard) {
      for await (const piece of body) {
        heard();
        yield piece;
      }
    });
  }

  async *#follow<T>(
    { path, headers }: { readonly path: string; readonly headers: Record<string, string> },
    wanted: string,
    read: (body: ReadableStream<Uint8Array>, heard: () => void) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const url = this.settings.url();
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
    try {
      const response = await fetch(url + path, {
        headers: { authorization: `Bearer ${this.settings.token()}`, ...headers },
        signal: silence.signal,
        redirect: 'manual',
      });
      if (!response.ok) throw refusalOf(response.status, await response.text());
      const type = response.headers.get('content-type') ?? '';
      if (!type.startsWith(wanted)) throw unexpected(`its answer is no ${wanted}`);
      yield* read(response.body!, () => timer.refresh());
    } catch (error) {
      if (error instanceof Refused || error instanceof Unreachable) throw error;
      throw Unreachable.at(url, error);
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  /** A route that needs no token. */
  async open<T>(path: string): Promise<T> {
    return this.#read<T>(await this.#fetch('GET', path, undefined, () => ({})));
  }

  /** What a health route says of itself; that it says no with its status is part of the answer. */
  async report<T>(path: string): Promise<T> {
    return this.#read<T>({ ...(await this.#fetch('GET', path, undefined, () => ({}))), ok: true });
  }

  async #send<T>(method: string, path: string, body: object | undefined): Promise<T> {
    const key = method === 'GET' ? null : this.key;
    const head = () => ({
      authorization: `Bearer ${this.settings.token()}`,
      ...(key === null ? {} : { 'idempotency-key': key }),
    });
    try {
      return this.#read<T>(await this.#fetch(method, path, body, head));
    } catch (error) {
      throw key === null ? error : repeatable(error, key);
    }
  }

  async #fetch(
    method: string,
    path: string,
    body: object | undefined,
    head: () => Record<string, string>,
  ): Promise<Answer> {
    // The address first: where no server runs, a token that is missing is not what is wrong.
    const url = `${this.settings.url()}${path}`;
    const headers = head();
    try {
      const response = await fetch(url, {
        method,
        // A server never sends elsewhere; what is sent is for nobody else's eyes.
        redirect: 'manual',
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(this.answerMs === null ? {} : { signal: AbortSignal.timeout(this.answerMs) }),
      });
      return await answerOf(response);
    } catch (error) {
      throw Unreachable.at(this.settings.url(), error);
    }
  }

  #read<T>(answer: Answer): T {
    const result = resultOf(answer);
    if (answer.status === 202) this.pending = OPERATION.exec(answer.location ?? '')?.[1] ?? null;
    return result as T;
  }
}

const lastEvent = (last: string | null): Record<string, string> =>
  last === null ? {} : { 'last-event-id': last };

function queryText(query: Query): string {
  const set = Object.entries(query).filter(([, value]) => value !== undefined);
  if (set.length === 0) return '';
  const texts = Object.fromEntries(set.map(([name, value]) => [name, String(value)]));
  return `?${new URLSearchParams(texts).toString()}`;
}
