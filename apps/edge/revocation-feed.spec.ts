import type { Heard } from '@kcm/edge';
import { type KcmError, systemScheduler } from '@kcm/kernel';
import { InvalidMessage, MessagingRefused, MessagingUnavailable } from '@kcm/messaging';
import { InProcessMessaging } from '@kcm/messaging/in-process';
import { eventually } from '@kcm/testing';
import { heardIn, RevocationFeed } from './revocation-feed.js';

const TOPIC = 'kcm.revocations.v1';
const lock = { type: 'io.openkcm.LockTaken.v1', kcmtenant: 'acme', kcmterm: 1, kcmepoch: 2 };
const acme = { tenant: 'acme', term: 1, epoch: 2 };
const bodyOf = (event: unknown) => Buffer.from(JSON.stringify(event));

describe('A message about revocations', () => {
  it('is of a tenant, a term and an epoch, or of nothing', () => {
    expect(heardIn(bodyOf(lock))).toEqual(acme);
    for (const other of [
      null,
      7,
      [],
      {},
      { ...lock, type: 'com.example.LockTaken.v1' },
      { ...lock, kcmtenant: 'a/b' },
      { ...lock, kcmtenant: ['acme'] },
      { ...lock, kcmterm: '1' },
      { ...lock, kcmepoch: -1 },
      { ...lock, kcmepoch: 1e300 },
    ])
      expect(heardIn(bodyOf(other))).toBeNull();
    expect(heardIn(Buffer.from('{'))).toBeNull();
    expect(heardIn(Buffer.alloc(0))).toBeNull();
  });
});

describe('An Edge that follows messages', () => {
  let messaging: InProcessMessaging;
  let feed: RevocationFeed;
  let said: string[];
  let heard: Heard[];
  let told: (error: unknown) => void;
  /** What the next starts fail with. */
  let failures: Error[];

  beforeEach(() => {
    [said, heard, failures] = [[], [], []];
    const options = { scheduler: systemScheduler, told: () => undefined };
    messaging = new InProcessMessaging({ topics: { [TOPIC]: 1 }, ...options });
    const run = messaging.run.bind(messaging);
    messaging.run = async (...args) => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      return run(...args);
    };
    feed = new RevocationFeed(
      (tell) => {
        told = tell;
        return messaging;
      },
      (level, msg, fields) => said.push([level, msg, fields?.['detail'] ?? ''].join(' ').trim()),
    );
  });
  afterEach(() => feed.stop());
  const follow = () => feed.follow((each) => heard.push(each));
  const publish = (...bodies: readonly Buffer[]) => {
    const [first, ...others] = bodies.map((body, n) => {
      return { topic: TOPIC, key: 'acme', id: String(n), headers: {}, body };
    });
    return messaging.publish([first!, ...others]);
  };

  it('hears what it can read, counts the rest, and tells of the rest once', async () => {
    follow();
    await eventually(() => feed.connected);
    expect(feed.reasons).toEqual([]);
    await publish(bodyOf(lock), Buffer.from('{'), Buffer.from('{'), bodyOf(lock));
    await eventually(() => feed.read === 2);
    expect([feed.unreadable, heard]).toEqual([2, [acme, acme]]);
    expect(said).toEqual([
      `info messaging-connected follows ${TOPIC}`,
      'warn message-unreadable: passed over',
    ]);
  });

  it('says once why it cannot, is degraded meanwhile, and goes on by itself', async () => {
    failures = [1, 2, 3].map(() => new MessagingUnavailable('Kafka does not answer.'));
    follow();
    expect(feed.reasons).toMatchObject([
      { level: 'degraded', dependency: 'messaging', code: 'messaging_unreachable' },
    ]);
    await eventually(() => feed.connected);
    expect(said).toEqual([
      'warn messaging-unreachable Kafka does not answer.',
      `info messaging-connected follows ${TOPIC}`,
    ]);
    told(new MessagingUnavailable('Kafka is gone.'));
    expect(feed.reasons).toHaveLength(1);
    expect(said.at(-1)).toBe('warn messaging-unreachable Kafka is gone.');
  });

  it('that is not let in says so by another word', async () => {
    failures = [new MessagingRefused('Kafka refuses the credentials.')];
    follow();
    await eventually(() => said.length > 0);
    expect(said[0]).toBe('error messaging-refused Kafka refuses the credentials.');
    await eventually(() => feed.connected);
  });

  it('ends at once, also while it waits for the brokers', async () => {
    failures = Array.from({ length: 20 }, () => new InvalidMessage('never'));
    follow();
    await eventually(() => failures.length < 18);
    const start = performance.now();
    await feed.stop();
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('names what is wrong in its configuration, and quotes no password', async () => {
    const files = { ca: 'no', certificate: undefined, privateKey: undefined };
    const opened = RevocationFeed.over({ url: 'kafka://u:secret@k', ...files }, 'e1', () => {});
    const error = (await opened.catch((failure: unknown) => failure)) as KcmError;
    expect(error.code).toBe('invalid_request');
    expect(error.errors.map(({ path }) => path)).toEqual(['KCM_MESSAGING', 'KCM_MESSAGING_CA']);
    expect(error.message).not.toContain('secret');
  });
});
