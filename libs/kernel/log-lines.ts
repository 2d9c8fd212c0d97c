import { fstatSync, writeSync } from 'node:fs';

/** What waits for a reader that takes nothing is no more than this; the rest is lost. */
const WAITING_BYTES_MAX = 1024 * 1024;

export interface LineSink {
  readonly writableLength: number;
  write(line: string): unknown;
}

/**
 * Lines to a stream whose reader may stand still: beyond a bound they are lost, and how many is said
 * when it takes some again. @param lostLine the whole line that says so
 */
export function boundedLines(
  out: LineSink,
  lostLine: (lost: number) => string,
): (line: string) => void {
  let lost = 0;
  return (line) => {
    if (out.writableLength > WAITING_BYTES_MAX) {
      lost += 1;
      return;
    }
    if (lost > 0) out.write(lostLine(lost));
    lost = 0;
    out.write(line);
  };
}

/**
 * Lines of the log to stderr. Who cannot write one goes on all the same: neither a full disk nor a
 * reader that stands still holds anything up.
 */
export function stderrLines(lostLine: (lost: number) => string): (line: string) => void {
  const fd = 2;
  const stat = fstatSync(fd);
  // To these Node writes without waiting; to all else it waits, and an error would end the stream.
  if (!stat.isFIFO() && !stat.isSocket()) return (line) => writeWhole(fd, line);
  process.stderr.on('error', () => {});
  return boundedLines(process.stderr, lostLine);
}

function writeWhole(fd: number, line: string): void {
  try {
    const bytes = Buffer.from(line);
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  } catch {
    // Lost.
  }
}
