import { Inject, Injectable } from '@nestjs/common';
import { Queries } from '@kcm/application';
import { KcmError } from '@kcm/kernel';
import { listed, pageOf, type Paging, tagged } from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import { type BlobStore, Directory } from '@kcm/vault';
import type { TenantDoc } from '@projections/tenants';
import type { FastifyReply } from 'fastify';

/** Tenants as the outside sees them: the read model, with the name from the deletable directory. */
@Injectable()
export class TenantViews {
  constructor(
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Directory) private readonly directory: BlobStore,
  ) {}

  async rename(tenant: string, name: string): Promise<void> {
    await this.directory.put(`name/${tenant}`, Buffer.from(name));
  }

  /** @throws not_found */
  async stored(tenant: string, token: ReadToken | null): Promise<TenantDoc> {
    const found = await this.queries.one<TenantDoc>('tenants', tenant, token);
    if (found.state === 'absent') throw new KcmError('not_found', 'There is no such resource.');
    return found;
  }

  /** As it is now, with its ETag. @throws not_found */
  async one(tenant: string, token: ReadToken | null, reply: FastifyReply) {
    const doc = await this.stored(tenant, token);
    tagged(reply, doc.revision);
    return this.view(doc);
  }

  async list(paging: Paging, token: ReadToken | null) {
    const query = { where: {}, ...pageOf(paging) };
    const page = await this.queries.list<TenantDoc>('tenants', query, token);
    return listed(page, (doc) => this.view(doc));
  }

  private async view(doc: TenantDoc) {
    const { id, homeRegion, policy, services, access } = doc;
    const name = (await this.directory.get(`name/${id}`))?.toString('utf8') ?? '';
    return { id, name, state: stateOf(doc), homeRegion, policy, services, access };
  }
}

/** The lock decides: the tenant's own stream follows it a moment later. */
function stateOf({ state, was, access }: TenantDoc): TenantDoc['state'] {
  if (access.locks.some(({ kind }) => kind === 'blocked')) return 'blocked';
  return state === 'blocked' ? was : state;
}
