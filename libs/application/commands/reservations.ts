import { type Clock, type CommandId, KcmError, rfc3339 } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';

const DAY_MS = 86_400_000;

/**
 * Which body an Idempotency-Key was first used with. The events of a command know its key and body,
 * but only in their own stream: where the body names the stream, another body would find another
 * one. Kept in the directory for a day at least and two at most: `idem/{day}/{command id}`.
 */
export class Reservations {
  #sweptOn: string | null = null;

  constructor(
    private readonly directory: BlobStore,
    private readonly clock: Clock,
  ) {}

  /** Durable when it resolves. @throws KcmError idempotency_key_reused: with another body */
  async reserve(commandId: CommandId, fingerprint: string): Promise<void> {
    const earlier = await this.directory.get(`idem/${this.#day(1)}/${commandId}`);
    const first = earlier ?? (await this.#first(commandId, fingerprint));
    if (first === null || first.toString() === fingerprint) return;
    throw new KcmError(
      'idempotency_key_reused',
      'This Idempotency-Key was used with another request body.',
    );
  }

  /** Forgets what is over; cheap when it was done today. */
  async sweep(): Promise<void> {
    const today = this.#day(0);
    if (this.#sweptOn === today) return;
    const kept = new Set([today, this.#day(1)]);
    const days = (await this.directory.list('idem')).map((path) => path.split('/')[1]!);
    for (const day of new Set(days)) if (!kept.has(day)) await this.directory.erase(`idem/${day}`);
    this.#sweptOn = today;
  }

  /** What is reserved already; null: nothing was, it is now. */
  async #first(commandId: CommandId, fingerprint: string): Promise<Buffer | null> {
    const path = `idem/${this.#day(0)}/${commandId}`;
    if (await this.directory.putIfAbsent(path, Buffer.from(fingerprint))) return null;
    return this.directory.get(path);
  }

  #day(ago: number): string {
    return rfc3339(this.clock.wallMs() - ago * DAY_MS).slice(0, 'yyyy-mm-dd'.length);
  }
}
