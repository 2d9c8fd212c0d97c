import { type LogHead, OriginLogReader } from '@kcm/application';
import type { ProvenLeaf } from '@kcm/evidence';
import { type Clock, type EventId, KcmError, type LedgerId, type RecordedEvent } from '@kcm/kernel';
import type { LogStore } from '@kcm/origin-log';

export interface LeavesDeps {
  readonly ledger: LedgerId;
  readonly log: LogStore;
  readonly clock: Clock;
}

/**
 * Where events of one stream are in the log, all under one head; waits for the log to get there.
 * @throws KcmError read_model_behind when it does not in time · integrity when the log has passed
 * an event and has not taken it
 */
export async function leavesOf(
  { ledger, log, clock }: LeavesDeps,
  events: readonly RecordedEvent[],
): Promise<{ readonly leaves: ReadonlyMap<EventId, ProvenLeaf>; readonly head: LogHead }> {
  const token = { ledger, position: events.at(-1)!.position };
  const ids = events.map(({ id }) => id);
  const found = await new OriginLogReader(log, clock).inclusions(ids, token);
  if (found === null)
    throw new KcmError('integrity', 'The transparency log lacks an event of the revocation.');
  const leaves = new Map(
    found.map(({ entry, path }, at) => {
      const leaf = { stored: events[at]!, index: entry.seq, path };
      return [entry.event, leaf] as const;
    }),
  );
  return { leaves, head: found[0]!.head };
}
