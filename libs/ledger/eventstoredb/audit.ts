import { KcmError, type StreamId } from '@kcm/kernel';
import { StreamGone } from '../errors.js';
import type { Server } from './server.js';
import { forgets, isLink, isTombstone, type Kept, type Names } from './wire.js';

/** @throws KcmError integrity */
export function forgetful(stream: string, setting: string): KcmError {
  return new KcmError(
    'integrity',
    `EventStoreDB forgets events of the stream ${stream} (${setting}): a ledger loses none.`,
  );
}

/**
 * Reads everything once, for deletions and settings leave no other trace than a gap.
 * @returns how many streams of ours there are
 * @throws KcmError integrity: a stream is deleted, forgets its events or lacks one
 */
export async function audit(server: Server, names: Names): Promise<number> {
  const next = new Map<string, bigint>();
  const settings = new Map<string, string | null>();
  for await (const record of server.all('start', 'forwards')) {
    const { streamId, revision } = record;
    const about = names.settingsOf(streamId);
    if (about !== null) settings.set(about, settingOf(record));
    if (!names.under(streamId) || isLink(record)) continue;
    if (isTombstone(record)) throw new StreamGone(streamId as StreamId);
    const expected = next.get(streamId) ?? 0n;
    if (revision !== expected)
      throw new KcmError('integrity', `The event ${expected} of ${streamId} is missing.`);
    next.set(streamId, expected + 1n);
  }
  for (const [stream, setting] of settings) if (setting !== null) throw forgetful(stream, setting);
  next.delete(names.id);
  return next.size;
}

const settingOf = ({ data }: Kept): string | null => forgets(data);

/**
 * What makes a stream absent or short on purpose. @throws StreamGone · KcmError integrity
 */
export async function assertKept(server: Server, name: string): Promise<void> {
  const last = await server.stream(`$$${name}`, 'end', 1);
  const setting = last?.[0] === undefined ? null : settingOf(last[0]);
  if (setting === '$tb') throw new StreamGone(name as StreamId);
  if (setting !== null) throw forgetful(name, setting);
}
