import { KcmError } from '@kcm/kernel';
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { StoreDamaged, StoreUnavailable } from './errors.js';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The format's last bit says in which byte order its checksums count. */
const MAGIC = 0x377f0682;
/** A log has no bound while a reader holds it: so much of it is in memory at a time. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * SQLite takes the first frame of a write-ahead log that does not add up for the end of the log and
 * forgets what is behind it. Only the last transaction can be torn, since each is synced before the
 * next begins: a frame of a later one proves that synced frames were damaged.
 *
 * For a database that nobody has open.
 * @param windowBytes how much is read at a time, no less than a frame
 * @throws StoreDamaged naming the frame and its page · StoreUnavailable
 */
export function assertLogWhole(file: string, windowBytes = WINDOW_BYTES): void {
  const path = `${file}-wal`;
  if (!existsSync(path)) return;
  try {
    const log = new LogWindow(path, windowBytes);
    try {
      assertFrames(log, (what) => new StoreDamaged(file, `its log ${path} is damaged: ${what}`));
    } finally {
      log.close();
    }
  } catch (error) {
    if (error instanceof KcmError) throw error;
    throw new StoreUnavailable(file, `its log ${path} cannot be read: ${String(error)}`);
  }
}

function assertFrames(log: LogWindow, damaged: (what: string) => StoreDamaged): void {
  // The header is synced before the first frame.
  if (log.bytes <= HEADER_BYTES) return;
  const header = Buffer.from(log.at(0, HEADER_BYTES));
  const bigEndian = header.readUInt32BE(0) === MAGIC + 1;
  const sums = new Sums(bigEndian);
  sums.add(header, 0, HEADER_BYTES - 8);
  if ((!bigEndian && header.readUInt32BE(0) !== MAGIC) || !sums.are(header, HEADER_BYTES - 8))
    throw damaged('its header does not add up');
  const frameBytes = FRAME_HEADER_BYTES + header.readUInt32BE(8);
  /** The frame that did not add up, and whether its transaction has ended since. */
  let broken: string | null = null;
  let over = false;
  for (let at = HEADER_BYTES; at + frameBytes <= log.bytes; at += frameBytes) {
    const frame = log.at(at, frameBytes);
    const ours = frame.compare(header, 16, 24, 8, 16) === 0;
    if (broken === null) {
      sums.add(frame, 0, 8);
      sums.add(frame, FRAME_HEADER_BYTES, frameBytes);
      if (!ours || !sums.are(frame, 16))
        broken = `${(at - HEADER_BYTES) / frameBytes + 1} (page ${frame.readUInt32BE(0)})`;
    } else if (ours && over)
      throw damaged(`frame ${broken} does not add up, and later ones are there`);
    if (broken !== null) over ||= frame.readUInt32BE(4) !== 0;
  }
}

/** A file that is read forwards, a piece of it in memory. */
class LogWindow {
  readonly bytes: number;
  readonly #descriptor: number;
  readonly #window: Buffer;
  #from = 0;
  #filled = 0;

  constructor(path: string, windowBytes: number) {
    this.#descriptor = openSync(path, 'r');
    this.bytes = fstatSync(this.#descriptor).size;
    this.#window = Buffer.allocUnsafe(Math.min(windowBytes, this.bytes));
  }

  /** Good until the next call. */
  at(offset: number, length: number): Buffer {
    if (offset + length > this.#from + this.#filled) this.#read(offset);
    const from = offset - this.#from;
    return this.#window.subarray(from, from + length);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #read(offset: number): void {
    this.#from = offset;
    this.#filled = 0;
    const most = Math.min(this.#window.length, this.bytes - offset);
    while (this.#filled < most) {
      const { length } = this.#window;
      const at = offset + this.#filled;
      const read = readSync(
        this.#descriptor,
        this.#window,
        this.#filled,
        length - this.#filled,
        at,
      );
      if (read === 0) throw new Error('it became shorter');
      this.#filled += read;
    }
  }
}

/** The running checksum of the format: two sums over pairs of 32-bit words. */
class Sums {
  #first = 0;
  #second = 0;

  constructor(private readonly bigEndian: boolean) {}

  add(bytes: Buffer, from: number, to: number): void {
    const { bigEndian } = this;
    for (let at = from; at < to; at += 8) {
      const low = bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
      const high = bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
      this.#first = (this.#first + low + this.#second) >>> 0;
      this.#second = (this.#second + high + this.#first) >>> 0;
    }
  }

  /** Whether they are those that are stored here. */
  are(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#first && bytes.readUInt32BE(at + 4) === this.#second;
  }
}
