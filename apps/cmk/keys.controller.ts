import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import { streamOf } from '@kcm/kernel';
import {
  Context,
  Endpoint,
  KEYSTORE_REFUSALS,
  listed,
  listOf,
  pageOf,
  type Paging,
  pagingQuery,
  QueryInput,
  Reply,
  tagged,
  Token,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { KeyDoc } from '@projections/tenant-keys';
import type { FastifyReply } from 'fastify';
import { keyShown, keyView } from './key-view.js';
import { empty } from './schemas.js';
import { TenantViews } from './tenant-views.js';
import { Waiting } from './waiting.js';

const READERS = ['key-admin', 'auditor', 'platform-auditor'] as const;

/** L2 and L3: versions and states, never material. */
@Controller()
export class KeysController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Waiting) private readonly waiting: Waiting,
    @Inject(TenantViews) private readonly tenants: TenantViews,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/keys',
    summary: 'The keys of the tenant',
    roles: READERS,
    query: pagingQuery,
    status: 200,
    answers: listOf(keyView),
  })
  async list(
    @Param('tenant') tenant: string,
    @QueryInput() paging: Paging,
    @Token() token: ReadToken | null,
  ) {
    const query = { where: { tenant }, ...pageOf(paging) };
    const page = await this.queries.list<KeyDoc>('tenant-keys', query, token);
    if (page.items.length === 0) return listed(page, () => null);
    const { policy } = await this.tenants.stored(tenant, token);
    return listed(page, (doc) => keyShown(doc, policy));
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/keys/:key',
    summary: 'A key with its versions',
    roles: READERS,
    status: 200,
    answers: keyView,
  })
  async one(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Token() token: ReadToken | null,
    @Reply() reply: FastifyReply,
  ) {
    return this.view(await this.stored(tenant, key, token), reply);
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/keys/:key/rotate',
    summary: 'Rotate an L3 or the L2: new use takes the new version, old ciphertext still opens',
    roles: ['key-admin'],
    body: empty,
    status: 200,
    answers: keyView,
    command: true,
    ifMatch: true,
    refuses: [
      'wrong_state',
      'tenant_killed',
      'tenant_suspended',
      'tenant_read_only',
      'tenant_blocked',
      'integrity',
      ...KEYSTORE_REFUSALS,
    ],
  })
  async rotate(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    await this.stored(tenant, key, null);
    const handled = await this.commands.run(
      'key',
      streamOf('key', tenant, key),
      { kind: 'RequestRotation', operation: context.commandId },
      context,
    );
    const token = await this.waiting.settled(reply, handled, context.commandId);
    return this.view(await this.stored(tenant, key, token), reply);
  }

  private async view(doc: KeyDoc, reply: FastifyReply) {
    const { policy } = await this.tenants.stored(doc.tenant, null);
    tagged(reply, doc.revision);
    return keyShown(doc, policy);
  }

  private stored(tenant: string, key: string, token: ReadToken | null): Promise<KeyDoc> {
    return this.queries.one<KeyDoc>('tenant-keys', `${tenant}/${key}`, token);
  }
}
