import { systemScheduler } from '@kcm/kernel';
import { InProcessMessaging } from '@kcm/messaging/in-process';
import { messagingContract } from '@kcm/testing';

const TOPICS_MAX = 40;

messagingContract('in process', async () => {
  const told: unknown[] = [];
  const name = (n: number, partitions: number): string => `topic-${n}.${partitions}`;
  const topics: Record<string, number> = {};
  for (let n = 0; n < TOPICS_MAX; n += 1)
    for (const partitions of [1, 3, 4]) topics[name(n, partitions)] = partitions;
  const messaging = new InProcessMessaging({
    topics,
    scheduler: systemScheduler,
    told: (error) => told.push(error),
  });
  let next = 0;
  return {
    one: messaging,
    // There is one process: both ends are in it.
    another: messaging,
    topic: async (partitions) => name(next++, partitions),
    told: () => told.splice(0),
    dispose: () => messaging.close(),
  };
});
