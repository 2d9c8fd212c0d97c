import type { Json } from '@kcm/kernel';
import type { KmipCore } from './core/kmip-core.js';
import type { UsageLedger } from './usage.js';

/** Tells Core what keys were used for, one report at a time: they are chained. */
export class UsageReporter {
  #reporting: Promise<void> | null = null;

  constructor(
    private readonly core: Pick<KmipCore, 'connected' | 'state'>,
    private readonly usage: UsageLedger,
  ) {}

  /** All that is to be told, as far as Core hears it now. */
  report(): Promise<void> {
    this.#reporting ??= this.#tell(() => this.usage.reports()).finally(() => {
      this.#reporting = null;
    });
    return this.#reporting;
  }

  /** After the last use: as above, and that there is no more. */
  async last(): Promise<void> {
    await this.#reporting;
    await this.#tell(() => this.usage.lastReports());
  }

  async #tell(reports: () => readonly Json[]): Promise<void> {
    if (!this.core.connected) return;
    for (const report of reports()) {
      const delivery = await this.core.state('usage', report);
      if (delivery === 'unheard') return;
      // Refused for good, its number is missing in the chain, for all to see.
      this.usage.settled(delivery === 'recorded');
    }
  }
}
