import { KcmError, LIMITS, type OneOrMore, systemScheduler } from '@kcm/kernel';
import {
  type Delivery,
  type Message,
  MessagesGone,
  type Subscription,
  TopicUnknown,
} from '@kcm/messaging';
import { InProcessMessaging } from '@kcm/messaging/in-process';
import { eventually } from '@kcm/testing';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type BaseRpcContext,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import { MessagingServer } from './messaging-server.js';
import { ThrowsAsItIs } from './throws-as-it-is.js';

const group = (topic: string): Subscription => ({ topic, as: { kind: 'group', group: 'g' } });
const own = (topic: string): Subscription => ({ topic, as: { kind: 'own', offsets: new Map() } });
const message = (topic: string, id: string) => ({
  topic,
  key: 'k',
  id,
  headers: {},
  body: Buffer.from(id),
});

let seen: string[];
let verdict: (delivery: Delivery) => unknown;
const given = (delivery: Delivery) => {
  seen.push(`${delivery.topic} ${delivery.id} ${delivery.attempt}`);
  return verdict(delivery);
};

@Controller()
class Keys {
  @EventPattern('keys')
  keys(@Payload() delivery: Delivery): unknown {
    return given(delivery);
  }
}
@Controller()
class Tenants {
  @EventPattern('tenants')
  async tenants(@Ctx() context: BaseRpcContext<[Delivery]>): Promise<unknown> {
    return given(context.getArgByIndex(0));
  }
}
@Controller()
class KeysAgain {
  @EventPattern('keys')
  again(delivery: Delivery): unknown {
    return given(delivery);
  }
}
@Controller()
class Asked {
  @MessagePattern('keys')
  asked(delivery: Delivery): unknown {
    return given(delivery);
  }
}

describe('Handlers of messages in a Nest microservice', () => {
  let told: unknown[];
  let lost: unknown[];
  let messaging: InProcessMessaging;
  const apps: INestMicroservice[] = [];
  beforeEach(() => {
    [told, lost, seen] = [[], [], []];
    verdict = () => ({ kind: 'done' });
    messaging = new InProcessMessaging({
      topics: { keys: 1, tenants: 1 },
      scheduler: systemScheduler,
      told: (error) => told.push(error),
    });
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await messaging.close();
  });

  async function listen(
    controllers: (new () => object)[],
    topics: string[],
    kind: 'group' | 'own' = 'group',
  ): Promise<void> {
    class App {}
    Module({ controllers })(App);
    const [first, ...others] = topics.map(kind === 'group' ? group : own);
    const strategy = new MessagingServer({
      messaging,
      subscriptions: [first!, ...others],
      attemptsMax: 3,
      told: (error) => told.push(error),
      lost: (error) => lost.push(error),
    });
    const app = await NestFactory.createMicroservice(App, {
      strategy,
      logger: false,
      abortOnError: false,
    });
    app.useGlobalFilters(new ThrowsAsItIs());
    await app.listen();
    apps.push(app);
  }

  it('are given what comes, each of its topic, and their verdicts are obeyed', async () => {
    await listen([Keys, Tenants], ['keys', 'tenants']);
    verdict = ({ id, attempt }) => {
      if (id === 'parked') return { kind: 'park', code: 'unwanted' };
      return id === 'later' && attempt === 1 ? { kind: 'retry', afterMs: 1 } : { kind: 'done' };
    };
    await messaging.publish([
      message('keys', 'parked'),
      message('keys', 'later'),
      message('keys', 'after'),
      message('tenants', 't'),
    ]);
    await eventually(() => seen.length === 5);
    expect(seen.filter((one) => one.startsWith('keys'))).toEqual([
      'keys parked 1',
      'keys later 1',
      'keys later 2',
      'keys after 1',
    ]);
    expect(seen).toContain('tenants t 1');
    const parked = await messaging.list('keys', null, 10);
    expect(parked.map(({ id, headers }) => [id, headers['kcm-parked-code']])).toEqual([
      ['parked', 'unwanted'],
    ]);
    expect(told).toEqual([]);
  });

  it.each([
    ['throws', () => Promise.reject(new KcmError('wrong_state', 'No.')), 'wrong_state'],
    ['throws what is no error of ours', () => Promise.reject(new Error('x')), 'internal'],
    ['gives no verdict', () => undefined, 'internal'],
    ['gives what is none', () => ({ kind: 'retry' }), 'internal'],
  ])('that %s is called again, then the message is parked and told', async (_, fail, code) => {
    verdict = ({ id }) => (id === 'bad' ? fail() : { kind: 'done' });
    await listen([Keys], ['keys']);
    await messaging.publish([message('keys', 'bad'), message('keys', 'good')]);
    await eventually(() => seen.includes('keys good 1'));
    expect(seen).toEqual(['keys bad 1', 'keys bad 2', 'keys bad 3', 'keys good 1']);
    const [parked] = await messaging.list('keys', null, 10);
    expect(parked).toMatchObject({ id: 'bad', headers: { 'kcm-parked-code': code } });
    expect(told.map((error) => (error instanceof KcmError ? error.code : 'internal'))).toEqual([
      code,
      code,
      code,
    ]);
  });

  it('that something is away for are called until it is back: nothing is parked', async () => {
    verdict = ({ attempt }) => {
      if (attempt < 5) throw new KcmError('ledger_unavailable', 'Away.');
      return { kind: 'done' };
    };
    await listen([Keys], ['keys']);
    await messaging.publish([message('keys', 'a')]);
    await eventually(() => seen.includes('keys a 5'));
    await expect(messaging.list('keys', null, 10)).resolves.toEqual([]);
  });

  it.each([
    ['a topic has no handler', [Keys], ['keys', 'tenants'], 'tenants has no handler'],
    ['a topic has two', [Keys, KeysAgain], ['keys'], 'keys has two handlers'],
    ['a handler has no topic', [Keys, Tenants], ['keys'], 'tenants has a handler and no subs'],
    ['a topic is subscribed twice', [Keys], ['keys', 'keys'], 'keys has two subscriptions'],
    ['a handler would answer', [Asked], ['keys'], 'keys would be answered'],
  ])('do not start where %s', async (_, controllers, topics, detail) => {
    await expect(listen(controllers, topics)).rejects.toThrow(detail);
  });

  it('do not start where the broker has no such topic, and none of them is left at work', async () => {
    @Controller()
    class Others {
      @EventPattern('others')
      others(delivery: Delivery): unknown {
        return given(delivery);
      }
    }
    await expect(listen([Keys, Others], ['keys', 'others'])).rejects.toThrow(TopicUnknown);
    await messaging.publish([message('keys', 'a')]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).toEqual([]);
  });

  it('end with what is at work judged', async () => {
    const gate = Promise.withResolvers<void>();
    verdict = async () => (await gate.promise, { kind: 'done' });
    await listen([Keys], ['keys']);
    await messaging.publish([message('keys', 'a')]);
    await eventually(() => seen.length === 1);
    let closed = false;
    const closing = apps[0]!.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closed).toBe(false);
    gate.resolve();
    await closing;
    await messaging.publish([message('keys', 'b')]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).toEqual(['keys a 1']);
    expect(lost).toEqual([]);
  });

  it('say when a subscription ends by itself', async () => {
    const gate = Promise.withResolvers<void>();
    verdict = async () => (await gate.promise, { kind: 'done' });
    await listen([Keys], ['keys'], 'own');
    const many = Array.from({ length: 500 }, (_, n) => message('keys', String(n)));
    for (let count = 0; count < 2 * LIMITS.inProcessMessagesMax + 500; count += 500)
      await messaging.publish(many as unknown as OneOrMore<Message>);
    gate.resolve();
    await eventually(() => lost.length > 0);
    expect(lost).toEqual([expect.any(MessagesGone)]);
  });
});
