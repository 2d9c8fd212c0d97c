import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { base64Inside, type Needle, type Secret, seeker } from './needles.js';

const PAGE_BYTES = 4_096;
const CHUNK_PAGES = 256;
/** No needle is longer, so that none is lost between two chunks. */
const OVERLAP_BYTES = 256;
/** Half a key: what an allocator writes into freed memory covers its first 16 bytes. */
const HALF_BYTES = 16;

/** Of keys: each 16 bytes of them as they are. */
export const rawForms = (secrets: readonly Secret[]): readonly Needle[] =>
  secrets.flatMap(({ name, bytes }) =>
    Array.from({ length: Math.floor(bytes.length / HALF_BYTES) }, (_, at) => ({
      secret: name,
      form: 'raw',
      bytes: bytes.subarray(at * HALF_BYTES, (at + 1) * HALF_BYTES),
    })),
  );

/** As a JSON body holds them: base64 at each offset. */
export const textForms = (secrets: readonly Secret[]): readonly Needle[] =>
  secrets.flatMap(({ name, bytes }) =>
    [0, 1, 2].map((at) => ({
      secret: name,
      form: 'base64',
      bytes: Buffer.from(base64Inside(bytes, at)),
    })),
  );

/**
 * How often each needle stands in a running process's memory, by `secret (form)`. All of it that
 * may hold data is looked at, what it has freed included. The process must be a child of ours.
 */
export function memorySearch(pid: number, needles: readonly Needle[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const seek = seeker(needles);
  for (const { bytes, counted } of memoryOf(pid))
    seek({ name: '', bytes }, ({ secret, form }, at) => {
      // What begins later is in the next chunk too.
      if (at >= counted) return;
      const what = `${secret} (${form})`;
      found.set(what, (found.get(what) ?? 0) + 1);
    });
  return found;
}

/** Overwritten by the next one. */
interface Chunk {
  readonly bytes: Buffer;
  readonly counted: number;
}

function* memoryOf(pid: number): Generator<Chunk> {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const pages = openSync(`/proc/${pid}/pagemap`, 'r');
  const into = Buffer.alloc(CHUNK_PAGES * PAGE_BYTES + OVERLAP_BYTES);
  const entries = Buffer.alloc(CHUNK_PAGES * 8);
  try {
    for (const { from, to } of mappingsOf(pid))
      for (let at = from; at < to; at += CHUNK_PAGES * PAGE_BYTES) {
        const counted = Math.min(CHUNK_PAGES * PAGE_BYTES, to - at);
        const known = readAt(pages, entries, (at / PAGE_BYTES) * 8, (counted / PAGE_BYTES) * 8);
        if (!isBacked(entries.subarray(0, known))) continue;
        const read = readAt(memory, into, at, Math.min(into.length, to - at));
        yield { bytes: into.subarray(0, read), counted };
      }
  } finally {
    closeSync(memory);
    closeSync(pages);
  }
}

/** All but what is read from files as it is: programs and libraries (proc(5)). */
function mappingsOf(pid: number): readonly { readonly from: number; readonly to: number }[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n');
  return lines.flatMap((line) => {
    const fields = /^(\w+)-(\w+) (\S+) \w+ \S+ (\d+)\s*(.*)$/.exec(line);
    const [, from = '', to = '', modes = '', inode = '', path = ''] = fields ?? [];
    const ownData = inode === '0' || modes.includes('w');
    if (!modes.startsWith('r') || !ownData || basename(path).startsWith('[v')) return [];
    return [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }];
  });
}

/** Whether any page was ever written: most of what V8 reserves was not (present, or swapped out). */
function isBacked(entries: Buffer): boolean {
  for (let at = 7; at < entries.length; at += 8) if ((entries[at]! & 0xc0) !== 0) return true;
  return false;
}

/** How much could be read: a mapping may have gone meanwhile. */
function readAt(file: number, into: Buffer, at: number, length: number): number {
  try {
    return readSync(file, into, 0, length, at);
  } catch {
    return 0;
  }
}
