import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import { KcmError, streamOf } from '@kcm/kernel';
import { Answers, Context, Endpoint, Reply } from '@kcm/platform';
import type { TenantDoc } from '@projections/tenants';
import type { FastifyReply } from 'fastify';
import { empty } from './schemas.js';
import { TenantViews } from './tenant-views.js';
import { tenantView } from './tenants.controller.js';

/** Block and unblock: the platform's own lock. It is taken on the access stream before all else. */
@Controller()
export class BlockingController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(TenantViews) private readonly views: TenantViews,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/block',
    summary: 'Block a tenant: nothing of it decrypts until it is unblocked',
    roles: ['platform-operator'],
    body: empty,
    status: 200,
    answers: tenantView,
    command: true,
  })
  async block(
    @Param('tenant') tenant: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    await this.views.stored(tenant, null);
    const handled = await this.commands.run(
      'access',
      streamOf('access', tenant),
      {
        kind: 'TakeLock',
        lock: context.commandId,
        lockKind: 'blocked',
        scope: { all: true },
        owner: 'platform',
        cause: 'operator',
        lockedBy: context.actor,
      },
      context,
    );
    return this.views.one(tenant, this.answers.accepted(reply, handled));
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/unblock',
    summary: 'Lift the block',
    roles: ['platform-operator'],
    body: empty,
    status: 200,
    answers: tenantView,
    command: true,
  })
  async unblock(
    @Param('tenant') tenant: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const doc = await this.queries.one<TenantDoc>('tenants', tenant);
    const held = doc.access.locks.find((lock) => lock.kind === 'blocked');
    if (held === undefined) throw new KcmError('wrong_state', 'The tenant is not blocked.');
    const handled = await this.commands.run(
      'access',
      streamOf('access', tenant),
      { kind: 'ReleaseLock', lock: held.lock, owner: 'platform' },
      context,
    );
    return this.views.one(tenant, this.answers.accepted(reply, handled));
  }
}
