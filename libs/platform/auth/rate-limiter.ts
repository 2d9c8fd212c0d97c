import { type Clock, KcmError, LIMITS, TokenBucket } from '@kcm/kernel';
import type { FastifyReply } from 'fastify';
import { networkOf } from '../http/network.js';

/** Requests a second, sustained; 0: no limit. */
export interface Rates {
  readonly principal: number;
  /** Of one address, for whoever shows no valid token. */
  readonly anonymous: number;
}
type Kind = keyof Rates | 'newcomer';

/** One bucket of requests for each principal, and for each address of those who are nobody. */
export class RateLimiter {
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(
    private readonly rates: Rates,
    private readonly clock: Clock,
  ) {}

  /** Takes one and says in the answer what is left. @throws KcmError rate_limited */
  principal(tenant: string | null, actor: string, reply: FastifyReply): void {
    this.#take('principal', `${tenant ?? ''}/${actor}`, reply);
  }

  /** Somebody new of a tenant, whose name would be kept. @throws KcmError rate_limited */
  newcomer(tenant: string | null, reply: FastifyReply): void {
    this.#take('newcomer', tenant ?? '', reply);
  }

  /** @param share what has a bucket of its own @throws KcmError rate_limited */
  anonymous(address: string, reply: FastifyReply, share = ''): void {
    this.#take('anonymous', `${networkOf(address)} ${share}`, reply);
  }

  #take(kind: Kind, who: string, reply: FastifyReply): void {
    const perSecond = kind === 'newcomer' ? LIMITS.newcomersPerSecondMax : this.rates[kind];
    if (perSecond === 0) return;
    const atOnce = perSecond * LIMITS.rateBurstSeconds;
    const now = this.clock.monotonicMs();
    const bucket = this.#bucketOf(`${kind} ${who}`, atOnce, perSecond, now);
    const taken = bucket.take(now);
    const { left, fullInMs } = bucket.look(now);
    void reply.header('RateLimit-Limit', String(atOnce));
    void reply.header('RateLimit-Remaining', String(left));
    void reply.header('RateLimit-Reset', String(Math.ceil(fullInMs / 1000)));
    if (taken) return;
    const what = kind === 'newcomer' ? 'new people of a tenant' : 'requests';
    const detail = `More than ${perSecond} ${what} a second: wait before the next one.`;
    throw new KcmError('rate_limited', detail, { retryAfterSeconds: Math.ceil(1 / perSecond) });
  }

  /** The least recently used one makes room: it is full again, or somebody makes up many names. */
  #bucketOf(key: string, atOnce: number, perSecond: number, now: number): TokenBucket {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(atOnce, perSecond, now);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > LIMITS.rateBucketsMax)
      this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket;
  }
}
