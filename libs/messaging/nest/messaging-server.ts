import { type Code, KcmError, type OneOrMore } from '@kcm/kernel';
import {
  BaseRpcContext,
  type CustomTransportStrategy,
  type MessageHandler,
  Server,
} from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  againMs,
  type Consumer,
  type Delivery,
  type Subscription,
  type Verdict,
} from '../index.js';

export interface MessagingServerOptions {
  readonly messaging: Consumer;
  /** One for each topic; `@EventPattern(topic)` is its handler, given the Delivery. */
  readonly subscriptions: OneOrMore<Subscription>;
  /**
   * A delivery that a handler threw at so often is parked, with the error's code; one whose error
   * says that something is away never is. Attempts are counted as Delivery.attempt is.
   */
  readonly attemptsMax: number;
  /** What a handler threw, each time. Must not throw. */
  readonly told: (error: unknown) => void;
  /** A subscription ended that nobody ended: nothing of its topic is handled any more. */
  readonly lost: (error: unknown) => void;
}

/** Worth another try, however often it was tried. */
const AWAY: ReadonlySet<Code> = new Set([
  'ledger_unavailable',
  'messaging_unavailable',
  'core_unavailable',
  'read_model_behind',
  'rate_limited',
  'request_timeout',
  'sealed',
]);

/**
 * `@EventPattern` handlers over our consumers: each returns a Verdict, or a promise of one. A throw
 * is a `retry` that waits longer each time. `listen` resolves when every topic is being given; it
 * fails where the broker does, and where a topic has not exactly one handler.
 */
export class MessagingServer extends Server implements CustomTransportStrategy {
  /** A handler's failure is ours to judge: Nest is not to log it by itself. */
  override readonly propagatesEventHandlerErrors = true;
  readonly #ending = new AbortController();
  readonly #twice = new Set<string>();
  #runs: readonly Promise<void>[] = [];

  constructor(private readonly options: MessagingServerOptions) {
    super();
  }

  /** Nest would chain a second handler, and drop the verdict of one. */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const topic = this.normalizePattern(pattern as string);
    if (this.messageHandlers.has(topic)) this.#twice.add(topic);
    super.addHandler(pattern, callback, isEventHandler, extras);
  }

  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      this.#assertHandlers();
      await Promise.all(this.#begin());
    } catch (error) {
      await this.close();
      callback(error);
      return;
    }
    callback();
  }

  /** Resolves when the last handler that was at work has been judged. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.allSettled(this.#runs);
  }

  /** There are no events of the transport to hear. */
  override on(): never {
    throw new KcmError('internal', 'The transport has no events.');
  }

  override unwrap<T>(): T {
    return this.options.messaging as T;
  }

  /** @throws KcmError invalid_request that names every topic which is wrong */
  #assertHandlers(): void {
    const topics = this.options.subscriptions.map(({ topic }) => topic);
    const wrong: string[] = [];
    for (const topic of new Set(topics)) {
      if (topics.indexOf(topic) !== topics.lastIndexOf(topic))
        wrong.push(`${topic} has two subscriptions`);
      if (!this.messageHandlers.has(topic)) wrong.push(`${topic} has no handler`);
    }
    for (const [topic, { isEventHandler }] of this.messageHandlers) {
      if (this.#twice.has(topic)) wrong.push(`${topic} has two handlers`);
      if (!topics.includes(topic)) wrong.push(`${topic} has a handler and no subscription`);
      if (isEventHandler !== true) wrong.push(`${topic} would be answered: use @EventPattern`);
    }
    if (wrong.length > 0)
      throw new KcmError('invalid_request', `Handlers of messages: ${wrong.join('; ')}.`);
  }

  /** Each promise: when its topic is being given. */
  #begin(): Promise<void>[] {
    const begun = this.options.subscriptions.map((subscription) => {
      const given = Promise.withResolvers<void>();
      let begins = true;
      const onGiven = () => {
        begins = false;
        given.resolve();
        subscription.onGiven?.();
      };
      const run = this.options.messaging
        .run({ ...subscription, onGiven }, (batch) => this.#judge(batch), this.#ending.signal)
        .catch((error: unknown) => {
          if (begins) given.reject(error);
          else this.options.lost(error);
        })
        // After a close: nothing is given any more, and nobody waits for it.
        .finally(() => given.resolve());
      return { run, given: given.promise };
    });
    this.#runs = begun.map(({ run }) => run);
    return begun.map(({ given }) => given);
  }

  async #judge(batch: OneOrMore<Delivery>): Promise<Verdict[]> {
    const verdicts: Verdict[] = [];
    let held: Verdict | null = null;
    for (const delivery of batch) {
      const verdict: Verdict = held ?? (await this.#verdictOf(delivery));
      // All after it comes again: nothing of it is handled now.
      if (verdict.kind === 'retry') held = verdict;
      verdicts.push(verdict);
    }
    return verdicts;
  }

  async #verdictOf(delivery: Delivery): Promise<Verdict> {
    const { topic, attempt } = delivery;
    try {
      const handler = this.messageHandlers.get(topic)!;
      const answers = await handler(delivery, new BaseRpcContext([delivery]));
      return verdictIn(await lastValueFrom(this.transformToObservable(answers)), topic);
    } catch (error) {
      this.options.told(error);
      const code = error instanceof KcmError ? error.code : 'internal';
      return attempt >= this.options.attemptsMax && !AWAY.has(code)
        ? { kind: 'park', code }
        : { kind: 'retry', afterMs: againMs(attempt) };
    }
  }
}

function verdictIn(answer: unknown, topic: string): Verdict {
  const { kind, afterMs, code } = (answer ?? {}) as Record<string, unknown>;
  if (kind === 'done') return { kind };
  if (kind === 'retry' && typeof afterMs === 'number') return { kind, afterMs };
  if (kind === 'park' && typeof code === 'string') return { kind, code };
  throw new KcmError('internal', `The handler of ${topic} gave no verdict.`);
}
