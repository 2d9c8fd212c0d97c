import {
  type EventId,
  type EventMeta,
  LIMITS,
  type NewEvent,
  type RecordedEvent,
  type StreamId,
} from '@kcm/kernel';
import { MemoryLedger, settled, SimulatedTime } from '@kcm/testing';
import { LedgerUnavailable } from './errors.js';
import { StreamWriter } from './stream-writer.js';

const STREAM = 'calls-local.boot' as StreamId;
const event = (id: string): NewEvent => ({
  id: id as EventId,
  type: 'ProcessStarted',
  schemaVersion: 1,
  data: {},
  meta: {} as EventMeta,
});
const ids = (events: readonly RecordedEvent[]) => events.map(({ id }) => id as string);

function journal() {
  const ledger = new MemoryLedger();
  const time = new SimulatedTime();
  const told = { replaced: 0 };
  const writer = new StreamWriter(ledger, STREAM, { after: time.after }, () => {
    told.replaced += 1;
  });
  return { ledger, time, told, writer };
}

describe('the one writer of a stream', () => {
  it('shares an append between callers of one moment, in order, within the limit of an append', async () => {
    const { ledger, writer } = journal();
    const names = Array.from({ length: 150 }, (_, at) => `e${at}`);
    const positions = await Promise.all(names.map((name) => writer.write(event(name))));
    expect(ids(ledger.events)).toEqual(names);
    expect(ledger.appends.map(({ count }) => count)).toEqual([64, 64, 22]);
    expect(positions.every((at, n) => at >= ledger.events[n]!.position)).toBe(true);
  });

  it('whoever writes on hearing of an append is written too', async () => {
    const { ledger, writer } = journal();
    await writer.write(event('a')).then(() => writer.write(event('b')));
    await writer.idle();
    expect(ids(ledger.events)).toEqual(['a', 'b']);
  });

  it('fails what must stand now, and keeps the rest for when the ledger is back', async () => {
    const { ledger, time, writer } = journal();
    ledger.down = true;
    writer.later(event('outcome'));
    const intent = writer.write(event('intent'));
    await expect(intent).rejects.toBeInstanceOf(LedgerUnavailable);
    ledger.down = false;
    await time.advance(LIMITS.retryMsMax);
    expect(ids(ledger.events)).toEqual(['outcome']);
  });

  it('ends though the ledger is away: what it refuses then is lost, what it takes is written', async () => {
    const { ledger, time, writer } = journal();
    writer.later(event('taken'));
    await writer.end();
    expect(ids(ledger.events)).toEqual(['taken']);
    const other = journal();
    other.ledger.down = true;
    other.writer.later(event('outcome'));
    await settled();
    const ended = other.writer.end();
    await other.time.advance(LIMITS.retryMsMax);
    await ended;
    other.ledger.down = false;
    await time.advance(LIMITS.retryMsMax);
    expect(other.ledger.events).toEqual([]);
    await expect(other.writer.write(event('late'))).rejects.toBeInstanceOf(LedgerUnavailable);
  });

  it('an append that was perhaps stored is repeated, and stored once', async () => {
    const { ledger, time, writer } = journal();
    ledger.silentOnce = true;
    const written = writer.write(event('a'));
    await settled();
    await time.advance(LIMITS.retryMsMin);
    expect(await written).toBe(ledger.events[0]!.position);
    await writer.write(event('b'));
    expect(ids(ledger.events)).toEqual(['a', 'b']);
  });

  it('stays in doubt while the ledger is away, rather than lose count of its revision', async () => {
    const { ledger, time, writer } = journal();
    ledger.silentOnce = true;
    const written = writer.write(event('a'));
    await settled();
    ledger.down = true;
    await time.advance(30_000);
    ledger.down = false;
    await time.advance(LIMITS.retryMsMax);
    await written;
    await writer.write(event('b'));
    expect(ids(ledger.events)).toEqual(['a', 'b']);
  });

  it('stops for good when another writes its stream, and says so once', async () => {
    const { ledger, told, writer } = journal();
    await writer.write(event('a'));
    await ledger.append(STREAM, 0, [event('other')]);
    const late = [writer.write(event('b')), writer.write(event('c'))];
    for (const write of late) await expect(write).rejects.toBeInstanceOf(LedgerUnavailable);
    await expect(writer.write(event('d'))).rejects.toBeInstanceOf(LedgerUnavailable);
    expect(told.replaced).toBe(1);
    expect(ids(ledger.events)).toEqual(['a', 'other']);
  });

  it('takes no more than its queue holds', async () => {
    const { ledger, writer } = journal();
    const writes = Array.from({ length: LIMITS.journalQueueMax + 1 }, (_, at) =>
      writer.write(event(`e${at}`)).then(
        () => 'stored',
        () => 'refused',
      ),
    );
    const outcomes = await Promise.all(writes);
    expect(outcomes.at(-1)).toBe('refused');
    expect(outcomes.slice(0, -1).every((outcome) => outcome === 'stored')).toBe(true);
    expect(ledger.events).toHaveLength(LIMITS.journalQueueMax);
  });
});
