import { KcmError, LIMITS, type OneOrMore } from '@kcm/kernel';
import {
  type Delivery,
  type Message,
  MessagesGone,
  type Messaging,
  MessagingUnavailable,
  PARKED,
  type Subscription,
  TopicUnknown,
  type Verdict,
} from '@kcm/messaging';
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageReader, eventually } from './message-reader.js';

export interface MessagingFixture {
  /** A process's messaging; all of a fixture's have the same topics. */
  readonly one: Messaging;
  readonly another: Messaging;
  /** A new, empty topic with its dead-letter topic. */
  topic(partitions: number): Promise<string>;
  /** What was told since it was last asked. */
  told(): readonly unknown[];
  dispose(): Promise<void>;
}

const DONE: Verdict = { kind: 'done' };
const group = (topic: string, name = 'g'): Subscription => ({
  topic,
  as: { kind: 'group', group: `${topic}-${name}` },
});
const message = (topic: string, key: string, text: string): Message => ({
  topic,
  key,
  id: randomUUID(),
  headers: {},
  body: Buffer.from(text),
});
const several = (topic: string, key: string, count: number, from = 0): OneOrMore<Message> =>
  Array.from({ length: count }, (_, n) =>
    message(topic, key, String(from + n)),
  ) as unknown as OneOrMore<Message>;
const textOf = ({ body }: Message): string => Buffer.from(body).toString();
const texts = (messages: readonly Message[]): string[] => messages.map(textOf);
const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, n) => String(from + n));

/** What every adapter of the messaging port must do, whatever its broker. */
export function messagingContract(name: string, make: () => Promise<MessagingFixture>): void {
  describe(`the messaging contract: ${name}`, () => {
    let fixture: MessagingFixture;
    let one: Messaging;
    const readers: MessageReader[] = [];
    const read = (
      subscription: Subscription,
      verdict: (delivery: Delivery) => Verdict | Promise<Verdict> = () => DONE,
      by: Messaging = one,
    ): MessageReader => {
      const reader = new MessageReader(by, subscription, verdict);
      readers.push(reader);
      return reader;
    };
    beforeAll(async () => {
      fixture = await make();
      one = fixture.one;
    });
    afterEach(async () => {
      await Promise.all(readers.splice(0).map((reader) => reader.stop()));
      fixture.told();
    });
    afterAll(() => fixture.dispose());

    it('delivers what was published as it was, each key in its order', async () => {
      const topic = await fixture.topic(3);
      const sent = Array.from({ length: 240 }, (_, n) => ({
        ...message(topic, `key ${n % 12}`, ''),
        headers: { ce: `ä ${n}`, empty: '' },
        body: randomBytes(n),
      }));
      await one.publish(sent.slice(0, 100) as unknown as OneOrMore<Message>);
      await one.publish(sent.slice(100) as unknown as OneOrMore<Message>);
      const { seen } = await read(group(topic)).until(240);
      const plain = (wanted: readonly Message[], key: string) =>
        wanted
          .filter((it) => it.key === key)
          .map(({ id, headers, body }) => ({ id, headers, body: Buffer.from(body) }));
      for (const { key } of sent.slice(0, 12)) expect(plain(seen, key)).toEqual(plain(sent, key));
      expect(new Set(seen.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
      expect(seen.every((it) => it.attempt === 1 && it.topic === topic)).toBe(true);
    });

    it('goes on after what a group has done; another group sees all of it', async () => {
      const topic = await fixture.topic(1);
      await one.publish(several(topic, 'k', 5));
      await (await read(group(topic)).until(5)).stop();
      await one.publish(several(topic, 'k', 3, 5));
      const again = await read(group(topic), undefined, fixture.another).until(3);
      expect(texts(again.seen)).toEqual(['5', '6', '7']);
      const other = await read(group(topic, 'other')).until(8);
      expect(texts(other.seen)).toEqual(numbers(8));
    });

    it('gives again what has to be tried again, in its order, and counts how often', async () => {
      const topic = await fixture.topic(1);
      await one.publish(several(topic, 'k', 4));
      const handled: string[] = [];
      const reader = read(group(topic), (delivery) => {
        const again = textOf(delivery) === '1' && delivery.attempt < 3;
        if (!again) handled.push(textOf(delivery));
        return again ? { kind: 'retry', afterMs: 20 } : DONE;
      });
      await eventually(() => handled.slice(-3).join() === '1,2,3');
      const attempts = reader.seen.filter((it) => textOf(it) === '1').map(({ attempt }) => attempt);
      expect(attempts).toEqual([1, 2, 3]);
      expect(reader.seen.filter((it) => textOf(it) === '0')).toHaveLength(1);
      // What came after it was given with it each time, and passed only with it.
      expect(texts(reader.seen).slice(-3)).toEqual(['1', '2', '3']);
    });

    it('holds up one partition only, and nothing passes what is to be tried again', async () => {
      const topic = await fixture.topic(3);
      const keys = Array.from({ length: 12 }, (_, n) => `key ${n}`);
      await one.publish([message(topic, 'held', 'first'), message(topic, 'held', 'second')]);
      for (const key of keys) await one.publish([message(topic, key, 'free')]);
      const reader = read(group(topic), ({ key }) =>
        key === 'held' ? { kind: 'retry', afterMs: 60_000 } : DONE,
      );
      await eventually(() => reader.seen.some(({ key }) => key === 'held'));
      const { partition } = reader.seen.find(({ key }) => key === 'held')!;
      await eventually(
        () =>
          new Set(reader.seen.filter((it) => it.partition !== partition).map((it) => it.partition))
            .size === 2,
      );
      await reader.stop();
      const next = await read(group(topic), undefined, fixture.another).until(2);
      expect(texts(next.seen).slice(0, 2)).toEqual(['first', 'second']);
    });

    it.each([
      ['throws', async (): Promise<readonly Verdict[]> => Promise.reject(new Error('crash'))],
      ['gives too few verdicts', async (): Promise<readonly Verdict[]> => [DONE]],
    ])('gives a whole batch again whose handler %s', async (_how, failing) => {
      const topic = await fixture.topic(1);
      await one.publish(several(topic, 'k', 6));
      const batches: string[][] = [];
      const over = new AbortController();
      const run = one.run(
        group(topic),
        async (batch) => {
          batches.push(texts(batch));
          return batches.length < 3 ? failing() : batch.map(() => DONE);
        },
        over.signal,
      );
      await eventually(() => batches.length >= 3);
      over.abort();
      await run;
      expect(batches).toEqual([numbers(6), numbers(6), numbers(6)]);
      expect(fixture.told().length).toBeGreaterThanOrEqual(2);
    });

    it('gives again what a consumer that went had not judged', async () => {
      const topic = await fixture.topic(1);
      await one.publish(several(topic, 'k', 4));
      const over = new AbortController();
      await one.run(
        group(topic),
        async (batch) => {
          over.abort();
          expect(texts(batch)).toEqual(numbers(4));
          throw new Error('crash');
        },
        over.signal,
      );
      const next = await read(group(topic), undefined, fixture.another).until(4);
      expect(texts(next.seen)).toEqual(numbers(4));
    });

    it('parks with code and place, goes on, and replays what was parked as it was', async () => {
      const topic = await fixture.topic(3);
      const sent = several(topic, 'k', 5).map((it) => ({ ...it, headers: { a: 'b' } }));
      const ids = sent.map(({ id }) => id);
      await one.publish(sent as unknown as OneOrMore<Message>);
      const odd = (delivery: Delivery): Verdict =>
        Number(textOf(delivery)) % 2 === 1 ? { kind: 'park', code: 'poison' } : DONE;
      const first = await read(group(topic), odd).until(5);
      await eventually(async () => (await one.list(topic, null, 10)).length === 2);
      await first.stop();
      const parked = await one.list(topic, null, 10);
      expect(texts(parked)).toEqual(['1', '3']);
      expect(parked[0]).toMatchObject({ topic, key: 'k', id: ids[1] });
      expect(parked[0]!.headers).toEqual({
        a: 'b',
        [PARKED.code]: 'poison',
        [PARKED.group]: `${topic}-g`,
        [PARKED.partition]: String(first.seen[1]!.partition),
        [PARKED.offset]: first.seen[1]!.offset,
      });
      expect(texts(await one.list(topic, parked[0]!.offset, 10))).toEqual(['3']);
      expect(texts(await one.list(topic, null, 1))).toEqual(['1']);
      expect(await one.replay(topic, [ids[3]!, 'nobody', ids[0]!])).toBe(1);
      expect(texts(await one.list(topic, null, 10))).toEqual(['1']);
      const { seen } = await read(group(topic)).until(1);
      expect({ ...seen[0], body: textOf(seen[0]!) }).toMatchObject({
        id: ids[3],
        key: 'k',
        headers: { a: 'b' },
        body: '3',
      });
    });

    it('has one entry for each group that parked a message, and replays it once', async () => {
      const topic = await fixture.topic(1);
      await one.publish(several(topic, 'k', 1));
      const park = (): Verdict => ({ kind: 'park', code: 'no' });
      const both = await Promise.all(['a', 'b'].map((by) => read(group(topic, by), park).until(1)));
      await Promise.all(both.map((reader) => reader.stop()));
      const parked = await one.list(topic, null, 10);
      expect(parked.map(({ headers }) => headers[PARKED.group]!.slice(-1)).sort()).toEqual([
        'a',
        'b',
      ]);
      const { id } = parked[0]!;
      expect(await one.replay(topic, [id])).toBe(1);
      expect(await one.replay(topic, [id])).toBe(0);
    });

    it('goes on after offsets that are stored with the effect, and keeps none itself', async () => {
      const topic = await fixture.topic(3);
      const keys = Array.from({ length: 9 }, (_, n) => `key ${n}`);
      for (const round of ['x', 'y'])
        await one.publish(
          keys.map((key) => message(topic, key, round)) as unknown as OneOrMore<Message>,
        );
      const own = (offsets: ReadonlyMap<number, string>): Subscription => ({
        topic,
        as: { kind: 'own', offsets },
      });
      const all = await read(own(new Map())).until(18);
      const stored = all.seen.find(({ partition }) => partition === 1)!;
      await all.stop();
      for (let turn = 0; turn < 2; turn += 1) {
        const reader = await read(own(new Map([[1, stored.offset]]))).until(17);
        await sleep(50);
        expect(reader.seen.map(({ id }) => id).sort()).toEqual(
          all.seen.flatMap(({ id }) => (id === stored.id ? [] : [id])).sort(),
        );
        await reader.stop();
      }
      const beyond = own(new Map([[0, '99']]));
      await expect(read(beyond).ended).rejects.toThrow(MessagesGone);
    });

    it('broadcasts what comes from now on to every process', async () => {
      const topic = await fixture.topic(3);
      await one.publish(several(topic, 'old', 3));
      const subscription: Subscription = { topic, as: { kind: 'broadcast' } };
      let given = 0;
      const announced = { ...subscription, onGiven: () => (given += 1) };
      const both = [one, fixture.another].map((by) => read(announced, undefined, by));
      await eventually(() => given === 2);
      await one.publish(several(topic, 'new', 20));
      const got = (key: string) => both.map(({ seen }) => seen.filter((it) => it.key === key));
      await eventually(() => got('new').every(({ length }) => length >= 20));
      for (const seen of got('new')) expect(texts(seen)).toEqual(numbers(20));
      expect(got('old')).toEqual([[], []]);
    });

    it('gives no more while a handler is at work, and no more at once than the limit', async () => {
      const topic = await fixture.topic(3);
      const count = 2 * LIMITS.messagesPerBatchMax + 100;
      const sent = Array.from({ length: count }, (_, n) => message(topic, `k${n % 2}`, String(n)));
      await one.publish(sent as unknown as OneOrMore<Message>);
      let working = 0;
      let most = 0;
      let largest = 0;
      const ids = new Set<string>();
      const over = new AbortController();
      const run = one.run(
        group(topic),
        async (batch) => {
          most = Math.max(most, (working += 1));
          largest = Math.max(largest, batch.length);
          expect(new Set(batch.map(({ partition }) => partition)).size).toBe(1);
          await sleep(20);
          for (const { id } of batch) ids.add(id);
          working -= 1;
          return batch.map(() => DONE);
        },
        over.signal,
      );
      await eventually(() => ids.size === count);
      over.abort();
      await run;
      expect(most).toBe(1);
      expect(largest).toBeLessThanOrEqual(LIMITS.messagesPerBatchMax);
    });

    it('ends on an abort when its last call is judged, and calls nobody after that', async () => {
      const topic = await fixture.topic(1);
      await one.publish(several(topic, 'k', 3));
      const over = new AbortController();
      let calls = 0;
      let judged = false;
      await one.run(
        group(topic),
        async (batch) => {
          calls += 1;
          over.abort();
          await one.publish(several(topic, 'k', 2, 3));
          await sleep(100);
          judged = true;
          return batch.map(() => DONE);
        },
        over.signal,
      );
      expect([calls, judged]).toEqual([1, true]);
      const { seen } = await read(group(topic)).until(2);
      expect(texts(seen)).toEqual(['3', '4']);
      await one.run(group(topic), () => Promise.reject(new Error('never')), AbortSignal.abort());
    });

    it('shares a topic between members that come and go, and loses and disorders nothing', async () => {
      const topic = await fixture.topic(4);
      const keys = Array.from({ length: 16 }, (_, n) => `key ${n}`);
      const first = new Map<string, string[]>(keys.map((key) => [key, []]));
      const met = new Set<string>();
      const note = async (delivery: Delivery): Promise<Verdict> => {
        if (!met.has(delivery.id)) first.get(delivery.key)!.push(textOf(delivery));
        met.add(delivery.id);
        await sleep(1);
        return DONE;
      };
      const rounds = 25;
      const members = [read(group(topic), note), read(group(topic), note, fixture.another)];
      for (let round = 0; round < rounds; round += 1) {
        await one.publish(
          keys.map((key) => message(topic, key, String(round))) as unknown as OneOrMore<Message>,
        );
        if (round === 8) members.push(read(group(topic), note));
        if (round === 16) await members[0]!.stop();
      }
      await eventually(() => met.size === rounds * keys.length);
      for (const key of keys) expect(first.get(key)).toEqual(numbers(rounds));
    });

    it('refuses what is badly named or too large, sends nothing of it, and knows its topics', async () => {
      const topic = await fixture.topic(1);
      const good = message(topic, 'k', 'good');
      const large = { ...good, body: Buffer.alloc(LIMITS.messageBytesMax) };
      const wrong: readonly [Message, string][] = [
        [large, 'payload_too_large'],
        [{ ...good, headers: { a: 'x'.repeat(20_000) } }, 'payload_too_large'],
        [{ ...good, headers: { 'kcm-id': 'x' } }, 'invalid_request'],
        [{ ...good, headers: { 'Ä b': 'x' } }, 'invalid_request'],
        [{ ...good, key: '' }, 'invalid_request'],
        [{ ...good, id: 'x'.repeat(2_000) }, 'invalid_request'],
        [{ ...good, topic: 'not a topic' }, 'invalid_request'],
      ];
      for (const [message, code] of wrong)
        await expect(one.publish([good, message])).rejects.toMatchObject({ code });
      const unknown = `${topic}-unknown`;
      await expect(one.publish([message(unknown, 'k', '')])).rejects.toThrow(TopicUnknown);
      await expect(read(group(unknown)).ended).rejects.toThrow(TopicUnknown);
      await expect(one.list(unknown, null, 1)).rejects.toThrow(TopicUnknown);
      await expect(read(group('not a topic')).ended).rejects.toThrow(KcmError);
      await one.publish([good]);
      const { seen } = await read(group(topic)).until(1);
      expect(seen.map(({ id }) => id)).toEqual([good.id]);
    });

    it('takes a batch that is larger than one write of a broker, in order', async () => {
      const topic = await fixture.topic(1);
      const body = randomBytes(LIMITS.messageBytesMax - 100);
      const sent = several(topic, 'k', 5).map((it) => ({ ...it, body }));
      await one.publish(sent as unknown as OneOrMore<Message>);
      const { seen } = await read(group(topic)).until(5);
      expect(seen.map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
      expect(seen.every((it) => Buffer.compare(it.body, body) === 0)).toBe(true);
    });

    it('ends its consumers when it is closed, and refuses every call then', async () => {
      const closing = await make();
      const topic = await closing.topic(1);
      await closing.one.publish(several(topic, 'k', 1));
      const reader = await read(group(topic), undefined, closing.one).until(1);
      await closing.one.close();
      await reader.ended;
      const calls = [
        () => closing.one.publish(several(topic, 'k', 1)),
        () => read(group(topic), undefined, closing.one).ended,
        () => closing.one.list(topic, null, 1),
        () => closing.one.replay(topic, ['x']),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow(MessagingUnavailable);
      await closing.dispose();
    });
  });
}
