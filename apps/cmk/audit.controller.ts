import { Controller, Inject, Param } from '@nestjs/common';
import { Queries, Subjects } from '@kcm/application';
import { Endpoint, listed, listOf, pageOf, paging, QueryInput, Token } from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { AuditItem } from '@projections/audit';
import { z } from 'zod';
import { time } from './schemas.js';

const filter = z.strictObject({
  from: time.optional(),
  to: time.optional(),
  actor: z.string().max(256).optional(),
  action: z.string().max(256).optional(),
  outcome: z.enum(['accepted', 'refused', 'pending', 'succeeded', 'failed', 'unknown']).optional(),
  correlationId: z.string().max(128).optional(),
  order: z.enum(['asc', 'desc']).default('asc'),
  ...paging,
});
type Filter = z.infer<typeof filter>;
const itemView = z.object({
  position: z.string(),
  at: z.string(),
  actor: z.string(),
  action: z.string(),
  resource: z.string(),
  outcome: z.string(),
  code: z.string().optional(),
  correlationId: z.string(),
  callId: z.string().optional(),
  providerRequestId: z.string().optional(),
  count: z.number().int().optional(),
});

/** RFC 3339 with any offset → the form in which times are stored. */
const utc = (text: string) => new Date(text).toISOString();

/** Each command accepted or refused and each keystore call, once. */
@Controller()
export class AuditController {
  constructor(
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Subjects) private readonly subjects: Subjects,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/audit',
    summary: 'What happened to this tenant, by time, actor, action, outcome or correlation id',
    roles: ['auditor', 'platform-auditor'],
    query: filter,
    status: 200,
    answers: listOf(itemView),
  })
  ofTenant(
    @Param('tenant') tenant: string,
    @QueryInput() query: Filter,
    @Token() token: ReadToken | null,
  ) {
    return this.search({ tenant }, tenant, query, token);
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/audit',
    summary: 'What happened on the whole platform',
    roles: ['platform-auditor'],
    query: filter,
    status: 200,
    answers: listOf(itemView),
  })
  ofPlatform(@QueryInput() query: Filter, @Token() token: ReadToken | null) {
    return this.search({}, null, query, token);
  }

  private async search(
    base: { readonly tenant?: string },
    tenant: string | null,
    query: Filter,
    token: ReadToken | null,
  ) {
    const { from, to, actor, action, outcome, correlationId, order } = query;
    const where = {
      ...base,
      ...(actor === undefined ? {} : { actor: await this.actorOf(tenant, actor) }),
      ...(action === undefined ? {} : { action }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(correlationId === undefined ? {} : { correlationId }),
    };
    const range = {
      field: 'at',
      ...(from === undefined ? {} : { from: utc(from) }),
      ...(to === undefined ? {} : { to: utc(to) }),
    };
    const page = await this.queries.list<AuditItem>(
      'audit',
      { where, range, order, ...pageOf(query) },
      token,
    );
    return listed(page, (doc) => this.view(doc));
  }

  /** People ask by name; events know opaque ids only. */
  private async actorOf(tenant: string | null, actor: string): Promise<string> {
    const opaque = /^(sub-|edge:|process:)|^(core|keystore|operator|anonymous)$/.test(actor);
    return opaque ? actor : this.subjects.opaque(tenant, actor);
  }

  private async view({ tenant, ...item }: AuditItem) {
    return { ...item, actor: await this.subjects.nameOf(tenant, item.actor) };
  }
}
