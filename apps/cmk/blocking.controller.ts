import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands } from '@kcm/application';
import { operationIdOf } from '@kcm/domain';
import { streamOf } from '@kcm/kernel';
import { Answers, Context, Endpoint, Reply } from '@kcm/platform';
import type { FastifyReply } from 'fastify';
import { EarlyLocks } from './early-locks.js';
import { empty } from './schemas.js';
import { TenantViews } from './tenant-views.js';
import { tenantView } from './tenants.controller.js';
import { Waiting } from './waiting.js';

/** Block and unblock: the platform's own lock. */
@Controller()
export class BlockingController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(TenantViews) private readonly views: TenantViews,
    @Inject(Waiting) private readonly waiting: Waiting,
    @Inject(EarlyLocks) private readonly early: EarlyLocks,
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
    actsFirst: true,
    refuses: ['wrong_state', 'tenant_killed'],
  })
  async block(
    @Param('tenant') tenant: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const lock = {
      kind: 'TakeLock',
      lock: context.commandId,
      lockKind: 'blocked',
      scope: { all: true },
      owner: 'platform',
      cause: 'operator',
      lockedBy: context.actor,
    } as const;
    const handled = await this.early.take(tenant, lock, context);
    const operation = operationIdOf.lock(tenant, context.commandId);
    return this.views.one(tenant, await this.waiting.settled(reply, handled, operation), reply);
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
    refuses: ['wrong_state', 'tenant_killed'],
  })
  async unblock(
    @Param('tenant') tenant: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    await this.views.stored(tenant, null);
    const stream = streamOf('access', tenant);
    const handled = await this.commands.run('access', stream, { kind: 'Unblock' }, context);
    const [released] = handled.events;
    if (released?.type === 'LockReleased')
      await this.waiting.finished(reply, operationIdOf.release(tenant, released.data.lock));
    return this.views.one(tenant, this.answers.accepted(reply, handled), reply);
  }
}
