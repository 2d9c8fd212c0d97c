import type { ShredWord } from '@kcm/domain';
import { type Clock, LIMITS, type Reason, rfc3339, type Scheduler } from '@kcm/kernel';
import { type Config, erasureBackupsFolder } from '@kcm/platform';
import type { BlobStore, Copies } from '@kcm/vault';
import { ErasureBackups } from './backups.js';
import { disksOf } from './disks.js';
import { keepKeyrings, type ShareSets } from './keyrings.js';

export interface ErasureKeeperDeps {
  readonly config: Config;
  /** Resolved. */
  readonly dataDir: string;
  readonly erasure: Copies;
  readonly vault: BlobStore;
  readonly sets: () => ShareSets;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly scheduler: Scheduler;
}

/** Sees to the copies and the backups of the erasure store, and says what a shred is worth here. */
export class ErasureKeeper {
  readonly backups: ErasureBackups;
  #stop: (() => void) | null = null;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Why the keyrings in the erasure store are not those of the vault; null: they are. */
  #keyrings: string | null = null;

  constructor(private readonly deps: ErasureKeeperDeps) {
    const { config, dataDir, erasure, clock } = deps;
    this.backups = new ErasureBackups({
      erasure,
      folder: erasureBackupsFolder(config, dataDir),
      days: config.KCM_ERASURE_BACKUP_DAYS,
      clock,
    });
  }

  /** Resolves when what is due at the start is done; then it looks by itself. Never throws. */
  async start(): Promise<void> {
    this.#running = this.look();
    await this.#running;
    this.#again();
  }

  /** Resolves when nothing of it runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stop?.();
    await this.#running;
  }

  async look(): Promise<void> {
    await this.deps.erasure.prove();
    await this.keepKeyring().catch(() => undefined);
    await this.backups.keep();
  }

  /** As `keepKeyrings`; what it throws is a reason of readiness until it goes well. */
  async keepKeyring(): Promise<void> {
    const { erasure, vault, sets } = this.deps;
    try {
      await keepKeyrings(vault, erasure, sets());
      this.#keyrings = null;
    } catch (error) {
      this.#keyrings = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  #again(): void {
    if (this.#stopped) return;
    this.#stop = this.deps.scheduler.after(LIMITS.erasureLookMs, () => {
      this.#running = this.look().then(() => this.#again());
    });
  }

  /** Copies that take part now. */
  get copies(): number {
    return this.deps.erasure.copies.filter(({ away }) => away === null).length;
  }

  /** What is true, once a path is erased from every copy. */
  async shredWord(path: string): Promise<ShredWord> {
    const { together, erasureAtServer } = this.#disks();
    if (together || erasureAtServer) return 'recoverable from a disk image';
    const until = await this.backups.heldUntil(path);
    return until === null ? 'irreversible' : `irreversible after ${rfc3339(until)}`;
  }

  /** What a receipt says of where the stores are; none where nothing is trial-grade about it. */
  trialGrade(): string[] {
    const { together, erasureAtServer, oneErasureDisk } = this.#disks();
    const one = this.deps.erasure.copies.length === 1;
    return [
      ...(together ? [this.#togetherWords()] : []),
      ...(erasureAtServer
        ? ['a server has the erasure store: its disk may keep what was erased']
        : []),
      ...(one ? ['one copy of the erasure store'] : []),
      ...(!one && oneErasureDisk && !together
        ? ['both copies of the erasure store on one disk']
        : []),
    ];
  }

  #togetherWords(): string {
    return this.deps.config.KCM_VAULT === 'sqlite:'
      ? 'one machine: ledger, vault and erasure store share a disk'
      : 'the erasure store may share a disk with the server of the vault';
  }

  reasons(): Reason[] {
    const { erasure } = this.deps;
    const reasons: Reason[] = erasure.copies.flatMap(({ name, away }) =>
      away === null ? [] : [reason('copy_away', `${name} is away: ${away}`, AWAY_NEXT)],
    );
    if (erasure.copies.length === 1) reasons.push(reason('one_copy', ONE_COPY, ONE_NEXT));
    const { trouble } = this.backups;
    if (this.#keyrings !== null && this.copies === erasure.copies.length)
      reasons.push(
        reason('keyring_not_kept', `it lacks the keyring: ${this.#keyrings}`, RING_NEXT),
      );
    if (trouble !== null)
      reasons.push(reason('backup_failed', `its own backups are not kept: ${trouble}`, KEPT_NEXT));
    return reasons;
  }

  #disks() {
    const { config, dataDir } = this.deps;
    return disksOf(config, dataDir);
  }
}

const reason = (code: string, detail: string, next: string): Reason => ({
  dependency: 'erasure-store',
  level: 'degraded',
  code,
  detail,
  next,
});
const ONE_COPY = 'one copy only: losing it loses every tenant';
const ONE_NEXT = 'name two stores in KCM_ERASURE, on two disks (docs/running.md, Erasure store)';
const AWAY_NEXT =
  'put its disk back. Until then no tenant is connected and no shred is confirmed. One that is lost ' +
  'for good: give its place an empty folder, and it is made again from the other';
const RING_NEXT =
  'look at its disks; until then a backup of before a rotation does not open with it';
const KEPT_NEXT =
  'make room, or see to the folder of KCM_ERASURE_BACKUPS: what is over must go, too';
