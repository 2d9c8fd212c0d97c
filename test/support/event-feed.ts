import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { until } from './processes.js';

export interface CloudEvent {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly kcmtenant: string;
  readonly kcmrevision: number;
  readonly data: Readonly<Record<string, unknown>>;
}
export interface FedEvent {
  /** Of the stream. */
  readonly id: string | null;
  readonly event: CloudEvent;
  /** When it came, by the wall clock. */
  readonly at: number;
}

/** A reader of a tenant's event stream, on a connection of its own that can be cut at any byte. */
export class EventFeed {
  readonly events: FedEvent[] = [];
  /** What a browser would send as Last-Event-ID. */
  last: string | null = null;
  comments: string[] = [];
  #sending: ClientRequest | null = null;
  #answer: IncomingMessage | null = null;

  constructor(
    private readonly url: () => string,
    private readonly path: string,
    private readonly token: string,
  ) {}

  get open(): boolean {
    return this.#answer !== null;
  }

  /** Resolves with the status; from 200 on events come. Goes on after `last`. */
  connect(query = ''): Promise<number> {
    const { hostname, port } = new URL(this.url());
    const headers = {
      authorization: `Bearer ${this.token}`,
      ...(this.last === null ? {} : { 'last-event-id': this.last }),
    };
    return new Promise((resolve, reject) => {
      const options = { hostname, port, path: `${this.path}${query}`, headers, agent: false };
      this.#sending = request(options, (answer) => {
        this.#take(answer);
        resolve(answer.statusCode ?? 0);
      });
      this.#sending.on('error', reject);
      this.#sending.end();
    });
  }

  /** At once, in the middle of whatever comes. */
  cut(): void {
    this.#sending?.destroy();
  }

  /** Stops reading: what comes waits on the other side. */
  pause(): void {
    this.#answer?.pause();
  }

  /** @throws Error after `ms` */
  until(what: string, look: (event: CloudEvent) => boolean, ms = 15_000): Promise<FedEvent> {
    return until(what, ms, () => this.events.find(({ event }) => look(event)) ?? null);
  }
  ended(ms = 10_000): Promise<true> {
    return until('the end of the stream', ms, () => (this.open ? null : true));
  }

  #take(answer: IncomingMessage): void {
    this.#answer = answer;
    let rest = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) this.#block(block);
    });
    answer.on('error', () => undefined);
    answer.on('close', () => (this.#answer = this.#answer === answer ? null : this.#answer));
  }

  #block(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1] ?? null;
    this.comments.push(...[...block.matchAll(/^: (.*)$/gm)].map(([, comment]) => comment!));
    const [id, data] = [field('id'), field('data')];
    if (id !== null) this.last = id;
    if (data === null) return;
    this.events.push({
      id: this.last,
      event: JSON.parse(data) as CloudEvent,
      at: Date.now(),
    });
  }
}
