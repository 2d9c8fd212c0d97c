import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import { KcmError, streamOf } from '@kcm/kernel';
import { operationIdOf } from '@kcm/domain';
import { Answers, Body, Context, Endpoint, listOf, Reply, Token } from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { KeyDoc } from '@projections/tenant-keys';
import type { TenantDoc } from '@projections/tenants';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { refuseKilled } from './refuse-killed.js';
import { serviceId } from './schemas.js';
import { stillAtWork, Waiting } from './waiting.js';

const mapping = z.strictObject({ id: serviceId });
const serviceView = z.object({ id: z.string(), key: z.string().nullable() });
const READERS = ['tenant-admin', 'auditor', 'platform-auditor'] as const;

@Controller()
export class ServicesController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(Waiting) private readonly waiting: Waiting,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/services',
    summary: 'Map a service to the tenant; its L3 key is created under the tenant root key',
    roles: ['tenant-admin'],
    body: mapping,
    example: { id: 'billing' },
    status: 201,
    answers: serviceView,
    command: true,
    refuses: ['wrong_state', 'already_exists', 'tenant_blocked', 'tenant_killed'],
  })
  async map(
    @Param('tenant') tenant: string,
    @Body() { id }: z.infer<typeof mapping>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const handled = await this.commands.run(
      'tenant',
      streamOf('tenant', tenant),
      { kind: 'MapService', service: id },
      context,
      () => refuseKilled(this.commands, tenant),
    );
    const token = this.answers.accepted(reply, handled);
    void reply.header('Location', `/v1/tenants/${tenant}/services/${id}`);
    // Mapped all the same; its key is made once there is a root key that lets us.
    if (!(await this.hasL2(tenant, token))) return { id, key: null };
    const operation = operationIdOf.mapService(tenant, id);
    const key = await this.keyOf(tenant, id);
    if (key !== null) return { id, key };
    const { access } = await this.queries.one<TenantDoc>('tenants', tenant);
    if (!access.open) {
      stillAtWork(reply, operation);
      return { id, key };
    }
    return { id, key: await this.waiting.until(reply, operation, () => this.keyOf(tenant, id)) };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/services',
    summary: 'The mapped services',
    roles: READERS,
    status: 200,
    answers: listOf(serviceView),
  })
  async list(@Param('tenant') tenant: string, @Token() token: ReadToken | null) {
    const doc = await this.queries.one<TenantDoc>('tenants', tenant, token);
    const items = await Promise.all(
      doc.services.map(async (id) => ({ id, key: await this.keyOf(tenant, id) })),
    );
    return { items, nextCursor: null };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/services/:service',
    summary: 'A mapped service and its key',
    roles: READERS,
    status: 200,
    answers: serviceView,
  })
  async one(
    @Param('tenant') tenant: string,
    @Param('service') service: string,
    @Token() token: ReadToken | null,
  ) {
    const doc = await this.queries.one<TenantDoc>('tenants', tenant, token);
    if (!doc.services.includes(service)) throw new KcmError('not_found', 'No such service.');
    return { id: service, key: await this.keyOf(tenant, service) };
  }

  @Endpoint({
    method: 'DELETE',
    path: 'v1/tenants/:tenant/services/:service',
    summary: 'Unmap a service: no lease is given for it any more; its keys stay',
    roles: ['tenant-admin'],
    status: 204,
    command: true,
    refuses: ['tenant_blocked'],
  })
  async unmap(
    @Param('tenant') tenant: string,
    @Param('service') service: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ): Promise<void> {
    const handled = await this.commands.run(
      'tenant',
      streamOf('tenant', tenant),
      { kind: 'UnmapService', service },
      context,
    );
    this.answers.accepted(reply, handled);
  }

  private async hasL2(tenant: string, token: ReadToken | null): Promise<boolean> {
    // In key order the L2 stands first.
    const query = { where: { tenant }, limit: 1 };
    const page = await this.queries.list<KeyDoc>('tenant-keys', query, token);
    return page.items[0]?.doc.level === 'L2';
  }

  private async keyOf(tenant: string, service: string): Promise<string | null> {
    const where = { tenant, service };
    const page = await this.queries.list<KeyDoc>('tenant-keys', { where, limit: 1 });
    return page.items[0]?.doc.id ?? null;
  }
}
