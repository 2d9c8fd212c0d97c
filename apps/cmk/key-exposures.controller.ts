import { Controller, Inject, Param } from '@nestjs/common';
import { Queries } from '@kcm/application';
import {
  Endpoint,
  exposureOf,
  exposureView,
  listed,
  listOf,
  pageOf,
  type Paging,
  pagingQuery,
  QueryInput,
  Token,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { ExposureDoc } from '@projections/exposures';
import type { KeyDoc } from '@projections/tenant-keys';

/** What may have been exposed of a key. */
@Controller()
export class KeyExposuresController {
  constructor(@Inject(Queries) private readonly queries: Queries) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/keys/:key/exposures',
    summary: 'What may have been exposed of the key: which version, when, to whom, and how much',
    roles: ['key-admin', 'auditor', 'platform-auditor'],
    query: pagingQuery,
    status: 200,
    answers: listOf(exposureView),
  })
  async exposures(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @QueryInput() paging: Paging,
    @Token() token: ReadToken | null,
  ) {
    await this.queries.one<KeyDoc>('tenant-keys', `${tenant}/${key}`, token);
    const query = { where: { tenant, key }, ...pageOf(paging) };
    return listed(await this.queries.list<ExposureDoc>('exposures', query, token), exposureOf);
  }
}
