import type { OneOrMore } from '@kcm/kernel';
import type { Message } from './messaging.js';
import { PerTopic } from './per-topic.js';

describe('A publisher for each topic', () => {
  const to = (topic: string): OneOrMore<Message> => [
    { topic, key: 'k', id: 'i', headers: {}, body: Buffer.from('x') },
  ];

  it('sends to a topic while a write to another one hangs, and ends them all', async () => {
    const took: string[] = [];
    let [opened, closed] = [0, 0];
    const publishers = new PerTopic(() => {
      opened += 1;
      return {
        publish: async ([{ topic }]) => {
          if (topic === 'events') await new Promise(() => undefined);
          took.push(topic);
        },
        close: async () => void (closed += 1),
      };
    });
    void publishers.publish(to('events'));
    await publishers.publish(to('revocations'));
    await publishers.publish(to('revocations'));
    expect(took).toEqual(['revocations', 'revocations']);
    expect(opened).toBe(2);
    await publishers.close();
    expect(closed).toBe(2);
  });
});
