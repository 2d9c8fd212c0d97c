import { Controller, Inject, Param } from '@nestjs/common';
import { Queries } from '@kcm/application';
import { type Clock, rfc3339 } from '@kcm/kernel';
import {
  CLOCK,
  Endpoint,
  listed,
  listOf,
  pageOf,
  type Paging,
  pagingQuery,
  QueryInput,
  Token,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { LeaseDoc } from '@projections/leases';
import { z } from 'zod';

const leaseView = z.object({
  holder: z.string(),
  boot: z.string(),
  key: z.string(),
  version: z.number().int(),
  service: z.string(),
  grantId: z.string(),
  grantedAt: z.string(),
  renewedAt: z.string().nullable(),
  endsAt: z.string(),
  endsInMs: z.number(),
  callId: z.string(),
  providerRequestId: z.string().nullable(),
});

@Controller()
export class LeasesController {
  constructor(
    @Inject(Queries) private readonly queries: Queries,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/leases',
    summary: 'Who holds a lease on a key of this tenant, and until when',
    roles: ['auditor', 'platform-auditor'],
    query: pagingQuery,
    status: 200,
    answers: listOf(leaseView),
  })
  async list(
    @Param('tenant') tenant: string,
    @QueryInput() paging: Paging,
    @Token() token: ReadToken | null,
  ) {
    const now = this.clock.wallMs();
    const page = await this.queries.list<LeaseDoc>(
      'leases',
      {
        where: { tenant },
        range: { field: 'endsAt', from: rfc3339(now) },
        ...pageOf(paging),
      },
      token,
    );
    return listed(page, (doc) => {
      const { tenant: _, seconds: _seconds, epoch: _epoch, renewals: _renewals, ...lease } = doc;
      return { ...lease, endsInMs: Date.parse(doc.endsAt) - now };
    });
  }
}
