import { setImmediate as othersFirst } from 'node:timers/promises';
import { fullJitterMs, KcmError, LIMITS, type Random, type Scheduler } from '@kcm/kernel';
import type { BarrieredStore } from './barriered-store.js';

const AT_ONCE = 32;

/** How far everything behind the barrier has got to the newest entry of the keyring. */
export interface ResealingView {
  readonly state: 'running' | 'waiting' | 'done';
  /** Blobs that this pass has looked at, of all that it found. */
  readonly seen: number;
  readonly total: number;
  /** By the entry that they are sealed with, as this pass left them. */
  readonly blobs: readonly { readonly entry: number; readonly count: number }[];
  /** Blobs that do not open: they stay as they are. */
  readonly damaged: number;
}
export interface ResealingParts {
  readonly stores: readonly BarrieredStore[];
  /**
   * The keyring of now lies beside whatever it is to open, too: were the vault lost meanwhile, what
   * is sealed anew elsewhere would open no more.
   */
  readonly keep: () => Promise<void>;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Must not throw. */
  readonly report: (error: unknown, path: string | null) => void;
}
interface Pass {
  state: ResealingView['state'];
  total: number;
  seen: number;
  damaged: number;
  readonly blobs: Map<number, number>;
}

/**
 * Seals whatever an older entry of the keyring sealed with the newest, beside the work: what is
 * written meanwhile is so already, and what is erased meanwhile stays so. A pass that a store stops
 * is begun again.
 */
export class Resealing {
  #pass: Pass | null = null;
  #attempt = 0;
  #cancel: () => void = () => {};

  constructor(private readonly parts: ResealingParts) {}

  /** Null: there was nothing to do since the unseal. */
  get view(): ResealingView | null {
    if (this.#pass === null) return null;
    const { blobs, ...pass } = this.#pass;
    const entries = [...blobs].sort(([a], [b]) => a - b);
    return { ...pass, blobs: entries.map(([entry, count]) => ({ entry, count })) };
  }

  /** Begins a pass, in the place of one that runs. Never throws. */
  start(): void {
    this.stop();
    const pass: Pass = { state: 'running', total: 0, seen: 0, damaged: 0, blobs: new Map() };
    this.#pass = pass;
    void this.#run(pass);
  }

  /** With the seal. */
  stop(): void {
    this.#cancel();
    this.#pass = null;
  }

  async #run(pass: Pass): Promise<void> {
    const mine = () => this.#pass === pass;
    try {
      await this.parts.keep();
      const found = await Promise.all(this.parts.stores.map((store) => store.list('')));
      pass.total = found.reduce((sum, paths) => sum + paths.length, 0);
      for (const [at, paths] of found.entries())
        for (const path of paths) {
          if (!mine()) return;
          await this.#reseal(pass, this.parts.stores[at]!, path);
          // A store in a file answers at once: whoever else has something to do comes first.
          if (pass.seen % AT_ONCE === 0) await othersFirst();
        }
      pass.state = 'done';
      this.#attempt = 0;
    } catch (error) {
      if (!mine()) return;
      this.parts.report(error, null);
      pass.state = 'waiting';
      const { retryMsMin, retryMsMax } = LIMITS;
      const waitMs = fullJitterMs(this.parts.random, this.#attempt++, retryMsMin, retryMsMax);
      this.#cancel = this.parts.scheduler.after(waitMs, () => this.start());
    }
  }

  async #reseal(pass: Pass, store: BarrieredStore, path: string): Promise<void> {
    try {
      const entry = await store.reseal(path);
      if (entry !== null) pass.blobs.set(entry, (pass.blobs.get(entry) ?? 0) + 1);
    } catch (error) {
      if (!(error instanceof KcmError) || error.code !== 'integrity') throw error;
      this.parts.report(error, path);
      pass.damaged += 1;
    }
    pass.seen += 1;
  }
}
