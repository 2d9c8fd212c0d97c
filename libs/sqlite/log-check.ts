import { existsSync, readFileSync } from 'node:fs';
import { StoreDamaged } from './errors.js';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The format's last bit says in which byte order its checksums count. */
const MAGIC = 0x377f0682;

/**
 * SQLite takes the first frame of a write-ahead log that does not add up for the end of the log and
 * forgets what is behind it. Only the last transaction can be torn, since each is synced before the
 * next begins: a frame of a later one proves that synced frames were damaged.
 *
 * For a database that nobody has open. @throws StoreDamaged naming the frame and its page
 */
export function assertLogWhole(file: string): void {
  const path = `${file}-wal`;
  if (!existsSync(path)) return;
  const log = readFileSync(path);
  // The header is synced before the first frame.
  if (log.length <= HEADER_BYTES) return;
  const damaged = (what: string): StoreDamaged =>
    new StoreDamaged(file, `its log ${path} is damaged: ${what}`);
  const bigEndian = log.readUInt32BE(0) === MAGIC + 1;
  const sums = new Sums(log, bigEndian);
  sums.add(0, HEADER_BYTES - 8);
  if ((!bigEndian && log.readUInt32BE(0) !== MAGIC) || !sums.are(HEADER_BYTES - 8))
    throw damaged('its header does not add up');
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(8);
  /** The frame that did not add up, and whether its transaction has ended since. */
  let broken: number | null = null;
  let over = false;
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    const frame = (at - HEADER_BYTES) / frameBytes;
    const ours = log.compare(log, 16, 24, at + 8, at + 16) === 0;
    if (broken === null) {
      sums.add(at, 8);
      sums.add(at + FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES);
      if (!ours || !sums.are(at + 16)) broken = frame;
    } else if (ours && over) {
      const page = log.readUInt32BE(HEADER_BYTES + broken * frameBytes);
      throw damaged(`frame ${broken + 1} (page ${page}) does not add up, and later ones are there`);
    }
    if (broken !== null) over ||= log.readUInt32BE(at + 4) !== 0;
  }
}

/** The running checksum of the format: two sums over pairs of 32-bit words. */
class Sums {
  #first = 0;
  #second = 0;

  constructor(
    private readonly log: Buffer,
    private readonly bigEndian: boolean,
  ) {}

  add(from: number, bytes: number): void {
    const { log, bigEndian } = this;
    for (let at = from; at < from + bytes; at += 8) {
      const low = bigEndian ? log.readUInt32BE(at) : log.readUInt32LE(at);
      const high = bigEndian ? log.readUInt32BE(at + 4) : log.readUInt32LE(at + 4);
      this.#first = (this.#first + low + this.#second) >>> 0;
      this.#second = (this.#second + high + this.#first) >>> 0;
    }
  }

  /** Whether they are those that are stored here. */
  are(at: number): boolean {
    const { log } = this;
    return log.readUInt32BE(at) === this.#first && log.readUInt32BE(at + 4) === this.#second;
  }
}
