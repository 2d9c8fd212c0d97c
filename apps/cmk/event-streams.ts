import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Queries } from '@kcm/application';
import { type Clock, KcmError, LIMITS, systemScheduler } from '@kcm/kernel';
import { CLOCK, type Principal, SealStatus } from '@kcm/platform';
import { type DocKey, ReadModelWatcher, type ReadToken } from '@kcm/read-models';
import type { EventDoc } from '@projections/events';
import { EventStream } from './event-stream.js';

type Who = Pick<Principal, 'actor' | 'expiresAtMs'>;
const PAGE = 50;
const tenantOf = (key: DocKey): string => key.slice(0, key.indexOf('/'));

/** The open event streams by tenant: woken by commits, limited, ended with the seal and the process. */
@Injectable()
export class EventStreams implements OnModuleDestroy {
  readonly #open = new Map<string, Map<EventStream, string>>();
  readonly #unwatch: () => void;

  constructor(
    @Inject(Queries) private readonly queries: Queries,
    @Inject(ReadModelWatcher) watcher: ReadModelWatcher,
    @Inject(SealStatus) private readonly seal: SealStatus,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#unwatch = watcher.watch('events', (keys) => this.#wake(keys));
  }

  /** @throws rate_limited · sealed (meanwhile) */
  open(tenant: string, after: EventDoc | null, who: Who): EventStream {
    if (this.seal.sealed()) throw new KcmError('sealed', 'The region is sealed.');
    const open = this.#open.get(tenant) ?? new Map<EventStream, string>();
    if (open.size >= LIMITS.eventStreamsMax) {
      const detail = `This tenant has ${LIMITS.eventStreamsMax} open event streams already.`;
      throw new KcmError('rate_limited', detail, { retryAfterSeconds: 5 });
    }
    const own = [...open.values()].filter((actor) => actor === who.actor).length;
    if (own >= LIMITS.eventStreamsPerPrincipalMax) {
      const detail = `You have ${LIMITS.eventStreamsPerPrincipalMax} open event streams already.`;
      throw new KcmError('rate_limited', detail, { retryAfterSeconds: 5 });
    }
    const { clock } = this;
    const read = (last: EventDoc | null) => this.#read(tenant, last);
    const stream = new EventStream(
      { clock, scheduler: systemScheduler, read },
      after,
      who.expiresAtMs,
    );
    this.#open.set(tenant, open.set(stream, who.actor));
    stream.once('close', () => {
      open.delete(stream);
      if (open.size === 0 && this.#open.get(tenant) === open) this.#open.delete(tenant);
    });
    return stream;
  }

  /** The newest event of a tenant; null: it has none. */
  async newest(tenant: string, token: ReadToken | null): Promise<EventDoc | null> {
    const range = { field: 'position' };
    const query = { where: { tenant }, range, order: 'desc', limit: 1 } as const;
    const { items } = await this.queries.list<EventDoc>('events', query, token);
    return items[0]?.doc ?? null;
  }

  endAll(why: string): void {
    for (const open of this.#open.values()) for (const stream of open.keys()) stream.end(why);
  }

  /** An open answer would hold up the end of the process. */
  async onModuleDestroy(): Promise<void> {
    this.#unwatch();
    this.endAll('the server stops');
  }

  #wake(keys: readonly DocKey[] | null): void {
    const tenants = keys === null ? this.#open.keys() : new Set(keys.map(tenantOf));
    for (const tenant of tenants)
      for (const stream of this.#open.get(tenant)?.keys() ?? []) stream.wake();
  }

  async #read(tenant: string, after: EventDoc | null): Promise<readonly EventDoc[]> {
    // Its lower bound is inclusive: one more than is wanted, and the known one dropped.
    const range = { field: 'position', ...(after === null ? {} : { from: after.position }) };
    const query = { where: { tenant }, range, limit: PAGE + 1 };
    const { items } = await this.queries.list<EventDoc>('events', query);
    return items.map(({ doc }) => doc).filter(({ position }) => position !== after?.position);
  }
}
