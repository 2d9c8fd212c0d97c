import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { KcmError } from './errors.js';
import { LIMITS } from './limits.js';

/**
 * The text of a file that somebody named: whatever it is, not more is read than such a file may
 * hold.
 * @param pipes whether it may also be what never ends or has yet to be written (a pipe, a device)
 * @throws KcmError invalid_request that names the file and says nothing of what is in it
 */
export function readTextFile(file: string, { pipes = false } = {}): string {
  const { textFileBytesMax: max } = LIMITS;
  try {
    // Before it is opened: opening a pipe waits for whoever writes to it.
    if (!pipes && !statSync(file).isFile()) throw refused(`${file} is no regular file.`);
    const fd = openSync(file, 'r');
    try {
      return bytesOf(fd, file, max).toString('utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof KcmError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw refused(`Cannot read ${file} (${code ?? 'failed'}).`);
  }
}

const refused = (detail: string): KcmError => new KcmError('invalid_request', detail);
const CHUNK_BYTES = 64 * 1024;

function bytesOf(fd: number, file: string, max: number): Buffer {
  const chunks: Buffer[] = [];
  for (let total = 0; ;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const read = readSync(fd, chunk);
    if (read === 0) return Buffer.concat(chunks);
    total += read;
    if (total > max) throw refused(`${file} is over ${max} bytes.`);
    chunks.push(chunk.subarray(0, read));
  }
}
