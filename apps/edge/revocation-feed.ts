import type { Heard, Hearing } from '@kcm/edge';
import {
  fullJitterMs,
  KcmError,
  LIMITS,
  Seldom,
  systemClock,
  systemRandom,
  systemScheduler,
  TENANT_ID,
  within,
  type Reason,
} from '@kcm/kernel';
import { type Delivery, type Messaging, MessagingRefused } from '@kcm/messaging';
import type { MessagingConfig } from './config.js';
import type { Log } from './log.js';

const TOPIC = 'kcm.revocations.v1';
/** After brokers that could not be followed, at most. */
const AGAIN_MS_MAX = 30_000;
/** What nobody can read is told so seldom. */
const TELL_MS = 60_000;
/** A flood of messages waits at the brokers: the processor is for those who encrypt. */
const MS_PER_MESSAGE = 0.5;

/**
 * Revocations as the platform tells everybody, read for an Edge: what it says is for `heard`. That
 * it cannot be followed is told once, and holds up nothing.
 */
export class RevocationFeed implements Hearing {
  connected = false;
  read = 0;
  unreadable = 0;
  #heard: (told: Heard) => void = () => undefined;
  #failure: KcmError | null = null;
  #said: string | null = null;
  readonly #seldom = new Seldom(systemClock, TELL_MS);
  readonly #end = new AbortController();
  readonly #messaging: Messaging;
  #run: Promise<void> = Promise.resolve();

  /** Of messages that `connect` gives; it is told whom to tell what goes on by itself. */
  constructor(
    connect: (told: (error: unknown) => void) => Messaging,
    private readonly log: Log,
  ) {
    this.#messaging = connect((error) => this.#away(error));
  }

  /** @throws KcmError invalid_request naming what is wrong in the configuration */
  static async over(config: MessagingConfig, edge: string, log: Log): Promise<RevocationFeed> {
    const { KafkaMessaging, kafkaOptions } = await import('@kcm/messaging/kafka');
    const { url, ...files } = config;
    const server = settingsOf(() => kafkaOptions(url, files));
    const clientId = `kcm-edge-${edge}`;
    const parts = { random: systemRandom, scheduler: systemScheduler };
    return new RevocationFeed(
      (told) => new KafkaMessaging({ ...server, ...parts, clientId, told }),
      log,
    );
  }

  /** Begins, and goes on until it is stopped, whatever becomes of the brokers. */
  follow(heard: (told: Heard) => void): void {
    this.#heard = heard;
    this.#run = this.#followed();
  }

  /** Hears nothing more at once; brokers that do not answer are not waited for. */
  async stop(): Promise<void> {
    this.#heard = () => undefined;
    this.#end.abort();
    const left = this.#run.then(() => this.#messaging.close());
    await within(systemScheduler, LIMITS.brokerLeaveMsMax, left);
  }

  get reasons(): readonly Reason[] {
    if (this.connected) return [];
    const refused = this.#failure instanceof MessagingRefused;
    return [
      {
        dependency: 'messaging',
        level: 'degraded',
        code: refused ? 'messaging_refused' : 'messaging_unreachable',
        detail: 'messages about revocations are not followed: Core’s notices and leases end access',
        next: refused
          ? 'see that Kafka lets this Edge in, and read the topic; the log says what it answered'
          : 'see that Kafka answers where KCM_MESSAGING says; the log says why it is not followed',
      },
    ];
  }

  async #followed(): Promise<void> {
    const { signal } = this.#end;
    let attempt = 0;
    const onGiven = (): void => {
      attempt = 0;
      this.#given();
    };
    const subscription = { topic: TOPIC, as: { kind: 'broadcast' }, onGiven } as const;
    while (!signal.aborted) {
      try {
        await this.#messaging.run(subscription, (batch) => this.#take(batch), signal);
      } catch (error) {
        this.#away(error);
      }
      const ms = fullJitterMs(systemRandom, attempt, LIMITS.retryMsMin, AGAIN_MS_MAX);
      attempt += 1;
      await this.#pause(ms);
    }
  }

  async #take(batch: readonly Delivery[]): Promise<{ readonly kind: 'done' }[]> {
    for (const { body, partition, offset } of batch) {
      const told = heardIn(body);
      if (told === null) this.#cannotRead(partition, offset);
      else {
        this.read += 1;
        this.#heard(told);
      }
    }
    await this.#pause(batch.length * MS_PER_MESSAGE);
    return batch.map(() => ({ kind: 'done' }));
  }

  #cannotRead(partition: number, offset: string): void {
    this.unreadable += 1;
    const untold = this.#seldom.tell('unreadable');
    if (untold === null) return;
    const at = { topic: TOPIC, partition: String(partition), offset, untold: String(untold) };
    this.log('warn', 'message-unreadable: passed over', at);
  }

  #given(): void {
    this.connected = true;
    this.#failure = null;
    const detail = `follows ${TOPIC}`;
    if (this.#said !== detail) this.log('info', 'messaging-connected', { detail });
    this.#said = detail;
  }

  #away(error: unknown): void {
    if (this.#end.signal.aborted) return;
    this.connected = false;
    this.#failure = error instanceof KcmError ? error : null;
    const detail = error instanceof Error ? error.message : String(error);
    const refused = error instanceof MessagingRefused;
    const event = refused ? 'messaging-refused' : 'messaging-unreachable';
    if (this.#said !== detail) this.log(refused ? 'error' : 'warn', event, { detail });
    this.#said = detail;
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#end;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        cancel();
        signal.removeEventListener('abort', over);
        resolve();
      };
      const cancel = systemScheduler.after(ms, over);
      signal.addEventListener('abort', over);
    });
  }
}

/** What an event says of its tenant's access; null: it is none. */
export function heardIn(body: Uint8Array): Heard | null {
  if (body.byteLength > LIMITS.messageBytesMax) return null;
  try {
    const event = JSON.parse(Buffer.from(body).toString('utf8')) as Record<string, unknown> | null;
    const { type, kcmtenant: tenant, kcmterm: term, kcmepoch: epoch } = event ?? {};
    const isOurs = typeof type === 'string' && type.startsWith('io.openkcm.');
    const isNamed = typeof tenant === 'string' && TENANT_ID.test(tenant);
    return isOurs && isNamed && isCount(term) && isCount(epoch) ? { tenant, term, epoch } : null;
  } catch {
    return null;
  }
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

function settingsOf<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof KcmError)) throw error;
    const errors = error.errors.map(({ path, code, detail }) => ({
      path: path.startsWith('tls.') ? (SETTING[path] ?? 'KCM_MESSAGING') : 'KCM_MESSAGING',
      code,
      detail: path.startsWith('tls.') ? detail : `${path} ${detail}`,
    }));
    const list = errors.map(({ path, detail }) => `${path}: ${detail}`).join('; ');
    throw new KcmError('invalid_request', `The configuration is wrong: ${list}`, { errors });
  }
}
const SETTING: Readonly<Record<string, string>> = {
  'tls.ca': 'KCM_MESSAGING_CA',
  'tls.certificate': 'KCM_MESSAGING_CERT',
  'tls.privateKey': 'KCM_MESSAGING_KEY',
};
