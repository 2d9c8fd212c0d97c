import { Controller, Inject, Param } from '@nestjs/common';
import { Queries } from '@kcm/application';
import { KcmError } from '@kcm/kernel';
import { Endpoint, type Principal, ROLES, Token, Who } from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { OperationDoc } from '@projections/operations';
import type { TenantDoc } from '@projections/tenants';
import { z } from 'zod';

const operationView = z.object({
  id: z.string(),
  kind: z.string(),
  state: z.enum(['pending', 'succeeded', 'failed']),
  resource: z.string(),
  requestedAt: z.string(),
  finishedAt: z.string().nullable(),
  code: z.string().optional(),
  step: z.string().optional(),
});

/** Work that an outside effect ends. Auditors see those of their tenant, the others their own. */
@Controller()
export class OperationsController {
  constructor(@Inject(Queries) private readonly queries: Queries) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/operations/:operation',
    summary: 'Whether a command that was answered with 202 has finished',
    roles: ROLES,
    status: 200,
    answers: operationView,
  })
  async one(
    @Param('operation') id: string,
    @Who() principal: Principal,
    @Token() token: ReadToken | null,
  ) {
    const found = await this.queries.one<OperationDoc>('operations', id, token);
    const audits = principal.roles.has(principal.tenant === null ? 'platform-auditor' : 'auditor');
    const own = found.requestedBy === principal.actor || audits;
    const tenant = principal.tenant === null || principal.tenant === found.tenant;
    if (!own || !tenant) throw new KcmError('not_found', 'There is no such resource.');
    const { tenant: _, requestedBy: _by, ...operation } = found;
    return { ...operation, ...(await this.endOf(found)) };
  }

  /** No key is made for a killed tenant any more: whoever waits for one is told so. */
  private async endOf({ tenant, kind, state }: OperationDoc) {
    if (kind !== 'service.map' || state !== 'pending') return {};
    const doc = await this.queries.get<TenantDoc>('tenants', tenant);
    const kill = doc?.access.locks.find((lock) => lock.kind === 'killed');
    if (kill === undefined) return {};
    return { state: 'failed', code: 'tenant_killed', finishedAt: kill.since };
  }
}
