import { Inject, Injectable } from '@nestjs/common';
import { Queries } from '@kcm/application';
import { KcmError } from '@kcm/kernel';
import type { ReadToken } from '@kcm/read-models';
import { type BlobStore, Directory } from '@kcm/vault';
import type { TenantDoc } from '@projections/tenants';
import type { Paging } from './schemas.js';

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

  async one(tenant: string, token: ReadToken | null) {
    return this.view(await this.stored(tenant, token));
  }

  async list({ limit, cursor }: Paging, token: ReadToken | null) {
    const query = { where: {}, limit, ...(cursor === undefined ? {} : { cursor }) };
    const page = await this.queries.list<TenantDoc>('tenants', query, token);
    const items = await Promise.all(page.items.map(({ doc }) => this.view(doc)));
    return { items, nextCursor: page.next };
  }

  async view(doc: TenantDoc) {
    const { id, state, homeRegion, policy, services, access } = doc;
    const name = (await this.directory.get(`name/${id}`))?.toString('utf8') ?? '';
    return { id, name, state, homeRegion, policy, services, access };
  }
}
