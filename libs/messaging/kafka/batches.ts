import { LIMITS, type OneOrMore, type Scheduler } from '@kcm/kernel';
import type { EachBatchHandler, EachBatchPayload } from 'kafkajs';
import { type Attempts, type Delivery, type Handler, settle } from '../index.js';
import { deliveryOf } from './records.js';

interface Work {
  readonly handle: Handler;
  readonly attempts: Attempts;
  readonly places: Map<number, bigint> | null;
  readonly end: AbortSignal;
  readonly scheduler: Scheduler;
  readonly heartbeatMs: number;
  readonly park: (delivery: Delivery, code: string) => Promise<void>;
  readonly told: (error: unknown) => void;
}

/**
 * What the client does with a batch that it fetched: hands it over in pieces, keeps what passed,
 * and stops the partition where one did not. The client fetches nothing more meanwhile.
 */
export const handOver =
  (work: Work): EachBatchHandler =>
  async (payload) => {
    const { topic, partition, messages } = payload.batch;
    const { attempts, places, end } = work;
    const from = places?.get(partition) ?? 0n;
    const wanted = messages.filter(({ offset }) => BigInt(offset) >= from);
    for (let at = 0; at < wanted.length; at += LIMITS.messagesPerBatchMax) {
      if (end.aborted || !payload.isRunning() || payload.isStale()) return;
      const piece = wanted
        .slice(at, at + LIMITS.messagesPerBatchMax)
        .map((record, index) =>
          deliveryOf(
            topic,
            partition,
            record,
            index === 0 ? attempts.of(partition, record.offset) : 1,
          ),
        ) as unknown as OneOrMore<Delivery>;
      const { passed, waitMs } = await beating(payload, work, () =>
        settle(piece, work.handle, work.park, work.told),
      );
      attempts.settled(partition, piece[passed] ?? null);
      await pass(payload, work, piece[passed - 1]);
      if (waitMs !== null) {
        work.scheduler.after(waitMs, payload.pause());
        return;
      }
    }
  };

async function pass(payload: EachBatchPayload, work: Work, last?: Delivery): Promise<void> {
  if (last === undefined) return;
  const { topic, partition } = payload.batch;
  const next = BigInt(last.offset) + 1n;
  payload.resolveOffset(last.offset);
  if (work.places !== null) work.places.set(partition, next);
  else
    await payload.commitOffsetsIfNecessary({
      topics: [{ topic, partitions: [{ partition, offset: String(next) }] }],
    });
}

/**
 * A handler may take its time: its group hears of us meanwhile. That the group is being shared out
 * anew is known only afterwards; what was judged until then still counts.
 */
async function beating<T>(
  payload: EachBatchPayload,
  { scheduler, heartbeatMs }: Work,
  work: () => Promise<T>,
): Promise<T> {
  let cancel = (): void => undefined;
  let over = false;
  const beat = (): void => {
    if (over) return;
    cancel = scheduler.after(heartbeatMs, () => {
      payload.heartbeat().then(beat, () => undefined);
    });
  };
  beat();
  try {
    return await work();
  } finally {
    over = true;
    cancel();
  }
}
