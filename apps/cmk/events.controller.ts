import { Controller, Inject, Param, Req } from '@nestjs/common';
import { CLOUD_EVENT, cloudEventOf, cloudEventView, Queries } from '@kcm/application';
import { KcmError } from '@kcm/kernel';
import { Endpoint, type Principal, QueryInput, Reply, Token, Who } from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { EventDoc } from '@projections/events';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { EventStreams } from './event-streams.js';

const EVENT_STREAM = 'text/event-stream';
const LAST_EVENT_ID = 'Last-Event-ID';
const where = z.strictObject({ from: z.enum(['now', 'start']).default('now') });
const READERS = ['auditor', 'platform-auditor'] as const;

/** What happens to a tenant, as it happens and from any event on. */
@Controller()
export class EventsController {
  constructor(
    @Inject(Queries) private readonly queries: Queries,
    @Inject(EventStreams) private readonly streams: EventStreams,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/events',
    summary: 'Server-sent events: each a CloudEvent; goes on after Last-Event-ID',
    roles: READERS,
    query: where,
    status: 200,
    answers: z.string().describe('data: a CloudEvent 1.0 in JSON · id: its id'),
    produces: EVENT_STREAM,
    headers: [LAST_EVENT_ID],
  })
  async follow(
    @Param('tenant') tenant: string,
    @QueryInput() { from }: z.infer<typeof where>,
    @Token() token: ReadToken | null,
    @Who() who: Principal,
    @Req() request: FastifyRequest,
    @Reply() reply: FastifyReply,
  ) {
    const newest = await this.newest(tenant, token);
    const last = request.headers['last-event-id'];
    const start = from === 'start' ? null : newest;
    const after = last === undefined ? start : await this.known(tenant, String(last));
    void reply.type(EVENT_STREAM).header('X-Accel-Buffering', 'no').header('Connection', 'close');
    // A HEAD would read to the end of what has none.
    return request.method === 'HEAD' ? '' : this.streams.open(tenant, after, who);
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/events/:event',
    summary: 'One event',
    roles: READERS,
    status: 200,
    answers: cloudEventView,
    produces: CLOUD_EVENT,
  })
  async one(
    @Param('tenant') tenant: string,
    @Param('event') event: string,
    @Token() token: ReadToken | null,
    @Reply() reply: FastifyReply,
  ) {
    const doc = await this.find(tenant, event, token);
    if (doc === null) throw new KcmError('not_found', 'There is no such resource.');
    void reply.type(CLOUD_EVENT);
    return cloudEventOf(doc);
  }

  private async newest(tenant: string, token: ReadToken | null): Promise<EventDoc> {
    const newest = await this.streams.newest(tenant, token);
    if (newest === null) throw new KcmError('not_found', 'There is no such resource.');
    return newest;
  }

  private async find(tenant: string, id: string, token: ReadToken | null) {
    const query = { where: { tenant, id }, limit: 1 };
    const { items } = await this.queries.list<EventDoc>('events', query, token);
    return items[0]?.doc ?? null;
  }

  /** Where a reader left off. @throws invalid_request for what never was an event of this tenant */
  private async known(tenant: string, last: string): Promise<EventDoc> {
    const found = await this.find(tenant, last, null);
    if (found !== null) return found;
    const path = `header.${LAST_EVENT_ID.toLowerCase()}`;
    const detail = 'no event of this tenant has this id';
    throw new KcmError('invalid_request', `These fields are wrong: ${path}.`, {
      errors: [{ path, code: 'unknown_event', detail }],
    });
  }
}
