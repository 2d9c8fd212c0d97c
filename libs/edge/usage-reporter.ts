import type { KmipCore } from './core/kmip-core.js';
import type { UsageLedger } from './usage.js';

/** Tells Core what keys were used for, one report at a time: they are chained. */
export class UsageReporter {
  #reporting = false;

  constructor(
    private readonly core: Pick<KmipCore, 'connected' | 'state'>,
    private readonly usage: UsageLedger,
  ) {}

  /** All that is to be told, as far as Core hears it now. */
  async report(): Promise<void> {
    if (this.#reporting) return;
    this.#reporting = true;
    try {
      if (!this.core.connected) return;
      for (const report of this.usage.reports()) {
        if ((await this.core.state('usage', report)) === 'unheard') return;
        // Recorded, or refused for good: then its number is missing in the chain, for all to see.
        this.usage.settled();
      }
    } finally {
      this.#reporting = false;
    }
  }
}
