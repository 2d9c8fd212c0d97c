import { Inject, Injectable } from '@nestjs/common';
import { Queries } from '@kcm/application';
import { listed, pageOf, type Paging, tagged } from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { KeyDoc } from '@projections/tenant-keys';
import type { FastifyReply } from 'fastify';
import { keyShown } from './key-view.js';
import { TenantViews } from './tenant-views.js';

/** Keys as the outside sees them: the read model, with what the tenant's policy makes of it. */
@Injectable()
export class KeyViews {
  constructor(
    @Inject(Queries) private readonly queries: Queries,
    @Inject(TenantViews) private readonly tenants: TenantViews,
  ) {}

  /** @throws not_found */
  stored(tenant: string, key: string, token: ReadToken | null): Promise<KeyDoc> {
    return this.queries.one<KeyDoc>('tenant-keys', `${tenant}/${key}`, token);
  }

  /** As it is now, with its ETag. @throws not_found */
  async one(tenant: string, key: string, token: ReadToken | null, reply: FastifyReply) {
    const doc = await this.stored(tenant, key, token);
    const { policy } = await this.tenants.stored(tenant, null);
    tagged(reply, doc.revision);
    return keyShown(doc, policy);
  }

  async list(tenant: string, paging: Paging, token: ReadToken | null) {
    const query = { where: { tenant }, ...pageOf(paging) };
    const page = await this.queries.list<KeyDoc>('tenant-keys', query, token);
    if (page.items.length === 0) return listed(page, () => null);
    const { policy } = await this.tenants.stored(tenant, token);
    return listed(page, (doc) => keyShown(doc, policy));
  }
}
