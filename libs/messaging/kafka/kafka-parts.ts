import type { KcmError, Random, Scheduler } from '@kcm/kernel';
import type { Kafka, RetryOptions } from 'kafkajs';

/** What publisher, consumer and parked messages share. */
export interface KafkaParts {
  readonly kafka: Kafka;
  readonly retry: RetryOptions;
  readonly groupSessionMs: number;
  readonly random: Random;
  readonly scheduler: Scheduler;
  /** Aborted by close: consumers end by it. */
  readonly closing: AbortSignal;
  /** What goes on by itself and somebody should know: a broker away, a handler that threw. */
  readonly told: (error: unknown) => void;
  error(error: unknown, topic: string): KcmError;
  /** @throws MessagingUnavailable once it is closed */
  assertOpen(): void;
}
