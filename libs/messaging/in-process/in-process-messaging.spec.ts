import { LIMITS, type OneOrMore, systemScheduler } from '@kcm/kernel';
import { type Delivery, type Message, MessagesGone, type Subscription } from '@kcm/messaging';
import { InProcessMessaging } from './in-process-messaging.js';

const topic = 'events';
const piece = (from: number, count: number): OneOrMore<Message> =>
  Array.from({ length: count }, (_, n) => ({
    topic,
    key: 'k',
    id: String(from + n),
    headers: {},
    body: Buffer.alloc(0),
  })) as unknown as OneOrMore<Message>;

describe('Messages that are no longer kept', () => {
  const count = 2 * LIMITS.inProcessMessagesMax + 500;
  let told: unknown[];
  let messaging: InProcessMessaging;
  beforeEach(async () => {
    told = [];
    const options = { scheduler: systemScheduler, told: (error: unknown) => told.push(error) };
    messaging = new InProcessMessaging({ topics: { [topic]: 1 }, ...options });
  });
  afterEach(() => messaging.close());
  const fill = async (): Promise<void> => {
    for (let at = 0; at < count; at += 500) await messaging.publish(piece(at, 500));
  };

  /** Reads the first message, then nothing until so much came that the next ones are gone. */
  async function slowly(as: Subscription['as']): Promise<readonly Delivery[]> {
    await messaging.publish(piece(0, 1));
    const over = new AbortController();
    const seen: Delivery[] = [];
    const run = messaging.run(
      { topic, as },
      async (batch) => {
        seen.push(...batch);
        if (seen.length === 1) await fill();
        if (batch.some(({ id }) => id === String(count - 1))) over.abort();
        return batch.map(() => ({ kind: 'done' }));
      },
      over.signal,
    );
    await run;
    return seen;
  }

  it('end a consumer that keeps its own offsets: it misses nothing in silence', async () => {
    await expect(slowly({ kind: 'own', offsets: new Map() })).rejects.toThrow(MessagesGone);
    const stored = new Map([[0, '0']]);
    const again = messaging.run(
      { topic, as: { kind: 'own', offsets: stored } },
      async (batch) => batch.map(() => ({ kind: 'done' })),
      AbortSignal.timeout(1_000),
    );
    await expect(again).rejects.toThrow(MessagesGone);
  });

  it('are told where a group goes on at what is kept', async () => {
    const seen = await slowly({ kind: 'group', group: 'g' });
    expect(told).toEqual([expect.objectContaining({ code: 'integrity' })]);
    expect(seen.length).toBeGreaterThan(LIMITS.inProcessMessagesMax);
    expect(seen.at(-1)!.id).toBe(String(count - 1));
  });
});
