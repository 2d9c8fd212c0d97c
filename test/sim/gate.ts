import { ownMemory, type Random } from '@kcm/kernel';
import { FakeKeystore, MemoryBlobs, MemoryLedger } from '@kcm/testing';
import type { Seeded } from '../support/seeded.js';

/** So many turns something waits at the longest that is slow; one in so many is. */
const SLOW_TURNS_MAX = 150;
const ONE_IN = 8;

/**
 * Everything that takes time waits here until the world lets it go on, one at a time. Some of it is
 * slow: whole acts of others pass it by.
 */
export class Gate {
  #waiting: { readonly from: number; readonly go: () => void }[] = [];
  #turn = 0;

  constructor(private readonly draw: Seeded) {}

  get waiting(): boolean {
    return this.#waiting.length > 0;
  }
  pass(): Promise<void> {
    const isSlow = this.draw.between(1, ONE_IN) === 1;
    const from = this.#turn + (isSlow ? this.draw.between(0, SLOW_TURNS_MAX) : 0);
    return new Promise((go) => {
      this.#waiting.push({ from, go });
    });
  }
  /** Lets one of those that wait go on: any whose turn has come, or the one whose comes first. */
  open(): void {
    this.#turn += 1;
    const ready = this.#waiting.filter(({ from }) => from <= this.#turn);
    const first = () => this.#waiting.reduce((a, b) => (b.from < a.from ? b : a));
    const next = ready.length > 0 ? this.draw.pick(ready) : first();
    this.#waiting = this.#waiting.filter((each) => each !== next);
    next.go();
  }
  /** Waits before it and, that others see what it did before its caller does, after it. */
  async around<T>(act: () => Promise<T>): Promise<T> {
    await this.pass();
    const done = await act();
    await this.pass();
    return done;
  }
}

/** Of a seed alone; nothing that it makes is a secret. */
export const seededRandom = (draw: Seeded): Random => ({
  bytes(length) {
    const bytes = ownMemory(length);
    for (let at = 0; at < length; at += 1) bytes[at] = draw.between(0, 255);
    return bytes;
  },
});

export class GatedLedger extends MemoryLedger {
  constructor(private readonly gate: Gate) {
    super();
  }
  override append(...of: Parameters<MemoryLedger['append']>) {
    return this.gate.around(() => super.append(...of));
  }
  override async readStream(...of: Parameters<MemoryLedger['readStream']>) {
    const page = await super.readStream(...of);
    await this.gate.pass();
    return page;
  }
}

export class GatedBlobs extends MemoryBlobs {
  /** Whatever was ever there: yesterday's backups, all of them. */
  readonly kept = new Map<string, Buffer>();

  constructor(private readonly gate: Gate) {
    super();
  }
  override put(key: string, bytes: Uint8Array): Promise<void> {
    this.kept.set(key, Buffer.from(bytes));
    return this.gate.around(() => super.put(key, bytes));
  }
  override putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.gate.around(() => super.putIfAbsent(key, bytes));
  }
  override get(key: string): Promise<Buffer | null> {
    return this.gate.around(() => super.get(key));
  }
  override list(prefix: string): Promise<readonly string[]> {
    return this.gate.around(() => super.list(prefix));
  }
  override erase(prefix: string): Promise<number> {
    return this.gate.around(() => super.erase(prefix));
  }
}

export class GatedKeystore extends FakeKeystore {
  constructor(
    private readonly gate: Gate,
    random: Random,
  ) {
    super(random);
  }
  override async open(reference: Parameters<FakeKeystore['open']>[0]) {
    const key = await super.open(reference);
    const { gate } = this;
    return {
      resolve: (...of: Parameters<typeof key.resolve>) => gate.around(() => key.resolve(...of)),
      wrap: (...of: Parameters<typeof key.wrap>) => gate.around(() => key.wrap(...of)),
      unwrap: (...of: Parameters<typeof key.unwrap>) => gate.around(() => key.unwrap(...of)),
      close: () => key.close(),
    };
  }
}
