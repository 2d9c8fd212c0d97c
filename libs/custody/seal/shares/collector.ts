import type { Secret } from '@kcm/crypto';
import type { ShareSetConfig } from '../seal-config.js';
import {
  normalShareText,
  readShare,
  regionFingerprint,
  shareDigest,
  shareRefused,
  type Share,
} from './share.js';

/** Gathers shares of one set; each is judged by the seal configuration before any combining. */
export class ShareCollector implements Disposable {
  readonly #held = new Map<number, Secret>();

  constructor(
    private readonly region: string,
    readonly config: ShareSetConfig,
    private readonly retired: readonly string[] = [],
  ) {}

  get provided(): number {
    return this.#held.size;
  }

  get complete(): boolean {
    return this.#held.size >= this.config.threshold;
  }

  /** Values of the shares taken so far; borrowed. */
  values(): readonly Secret[] {
    return [...this.#held.values()];
  }

  /** @throws KcmError share_refused, naming the share and the cause; nothing is kept then */
  add(text: string): void {
    const share = readShare(text);
    try {
      this.#judge(share, shareDigest(normalShareText(text)));
    } catch (refusal) {
      share.value.dispose();
      throw refusal;
    }
    this.#held.set(share.index, share.value);
  }

  #judge(share: Share, digest: string): void {
    const { config } = this;
    const name = `Share ${share.index} of set ${share.setId}`;
    if (share.region !== regionFingerprint(this.region))
      throw shareRefused('foreign_region', `${name} belongs to another region.`);
    if (this.retired.includes(share.setId)) {
      const ended = `${name} ended with a rekey: this region has set ${config.setId}.`;
      throw shareRefused('old_set', ended);
    }
    if (share.setId !== config.setId)
      throw shareRefused('foreign_set', `${name} is foreign: this region has set ${config.setId}.`);
    if (share.index < 1 || share.index > config.shares)
      throw shareRefused('wrong_index', `${name}: the set has shares 1 to ${config.shares}.`);
    if (config.seal !== 'auto' && config.shareDigests[share.index - 1] !== digest)
      throw shareRefused('unknown', `${name} is not the one that was given out.`);
    if (this.#held.has(share.index))
      throw shareRefused('duplicate', `${name} was already provided.`);
  }

  dispose(): void {
    for (const value of this.#held.values()) value.dispose();
    this.#held.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
