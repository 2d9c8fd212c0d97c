import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const CHUNK = Buffer.alloc(64 * 1024, 0x42);
const REFILL_MS = 1;
const MOUNT =
  'mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2" && echo mounted && exec sleep infinity';

/**
 * A file system of a given size in name spaces of its own, which needs no rights: programs that are
 * started with `words` before their own see it at `folder`, the test sees it at `path`.
 */
export class SmallDisk {
  private constructor(
    readonly folder: string,
    private readonly holder: ChildProcess,
  ) {}

  static async open(folder: string, bytes: number): Promise<SmallDisk> {
    mkdirSync(folder, { recursive: true });
    const words = ['-rm', 'sh', '-c', MOUNT, 'sh', String(bytes), folder];
    const holder = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    holder.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')]);
    if (holder.exitCode !== null) throw new Error(`no file system of its own: ${said}`);
    return new SmallDisk(folder, holder);
  }

  get path(): string {
    return `/proc/${this.holder.pid}/root${this.folder}`;
  }
  /** What runs the words behind it inside. */
  get words(): readonly string[] {
    const target = String(this.holder.pid);
    return ['nsenter', '-U', '-m', '--preserve-credentials', `--wd=${process.cwd()}`, '-t', target];
  }
  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** A balloon takes every byte that is free now. */
  fill(): void {
    const file = openSync(this.#balloon, 'a');
    try {
      for (let bytes = CHUNK.length; bytes > 0;) {
        try {
          if (writeSync(file, CHUNK, 0, bytes) < bytes) bytes = 1;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          bytes = bytes > 1 ? bytes >> 1 : 0;
        }
      }
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** Takes what becomes free as well, until the answer is called. */
  keepFull(): () => void {
    this.fill();
    const timer = setInterval(() => this.fill(), REFILL_MS);
    return () => clearInterval(timer);
  }

  /** The balloon is gone. */
  relieve(): void {
    rmSync(this.#balloon, { force: true });
  }

  async close(): Promise<void> {
    this.holder.kill('SIGKILL');
    if (this.holder.exitCode === null && this.holder.signalCode === null)
      await once(this.holder, 'exit');
  }

  get #balloon(): string {
    return join(this.path, 'balloon');
  }
}
