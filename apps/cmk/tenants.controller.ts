import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands } from '@kcm/application';
import { changedPolicy, type CommandOf, defaultPolicy } from '@kcm/domain';
import { KcmError, streamOf } from '@kcm/kernel';
import {
  Answers,
  Body,
  Context,
  Endpoint,
  lineOfText,
  listOf,
  type Paging,
  pagingQuery,
  QueryInput,
  REGION,
  Reply,
  Token,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { empty, policy, type PolicyInput, policyInput, scope, tenantId } from './schemas.js';
import { refuseKilled } from './refuse-killed.js';
import { TenantViews } from './tenant-views.js';

const registration = z.strictObject({
  id: tenantId,
  name: lineOfText(200),
  homeRegion: z.string().max(32).optional(),
  policy: policyInput.optional(),
});
export const tenantView = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(['registered', 'active', 'blocked']),
  homeRegion: z.string(),
  policy,
  services: z.array(z.string()),
  access: z.object({
    open: z
      .boolean()
      .describe(
        'no lock is held; under a lock its kind and scope say what ends (readOnly: encrypt)',
      ),
    locks: z.array(
      z.object({ lock: z.string(), kind: z.string(), scope, cause: z.string(), since: z.string() }),
    ),
  }),
});

const OPERATOR = ['platform-operator'] as const;
const READERS = ['platform-operator', 'platform-auditor', 'tenant-admin', 'auditor'] as const;

@Controller()
export class TenantsController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(TenantViews) private readonly views: TenantViews,
    @Inject(REGION) private readonly region: string,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants',
    summary: 'Register a tenant',
    roles: OPERATOR,
    body: registration,
    example: { id: 'acme', name: 'Acme Bank', policy: { leaseSeconds: 60 } },
    status: 201,
    answers: tenantView,
    command: true,
    refuses: ['already_exists', 'wrong_region'],
  })
  async register(
    @Body() body: z.infer<typeof registration>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const homeRegion = body.homeRegion ?? this.region;
    if (homeRegion !== this.region) {
      throw new KcmError('wrong_region', `This is the region ${this.region}.`);
    }
    const handled = await this.commands.run(
      'tenant',
      streamOf('tenant', body.id),
      {
        kind: 'RegisterTenant',
        homeRegion,
        policy: changedPolicy(defaultPolicy, body.policy ?? {}),
      },
      { ...context, tenant: body.id },
    );
    await this.views.rename(body.id, body.name);
    void reply.header('Location', `/v1/tenants/${body.id}`);
    return this.views.one(body.id, this.answers.accepted(reply, handled), reply);
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants',
    summary: 'The tenants',
    roles: ['platform-operator', 'platform-auditor'],
    query: pagingQuery,
    status: 200,
    answers: listOf(tenantView),
  })
  list(@QueryInput() query: Paging, @Token() token: ReadToken | null) {
    return this.views.list(query, token);
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant',
    summary: 'A tenant, its policy and whether its access is open',
    roles: READERS,
    status: 200,
    answers: tenantView,
  })
  one(
    @Param('tenant') tenant: string,
    @Token() token: ReadToken | null,
    @Reply() reply: FastifyReply,
  ) {
    return this.views.one(tenant, token, reply);
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/activate',
    summary: 'Activate a registered tenant',
    roles: OPERATOR,
    body: empty,
    status: 200,
    answers: tenantView,
    command: true,
    ifMatch: true,
    refuses: ['wrong_state', 'tenant_killed', 'tenant_blocked'],
  })
  activate(
    @Param('tenant') tenant: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    return this.change(tenant, { kind: 'ActivateTenant' }, context, reply);
  }

  @Endpoint({
    method: 'PUT',
    path: 'v1/tenants/:tenant/policy',
    summary: 'Change the policy; what is left out keeps its value',
    roles: ['tenant-admin'],
    body: policyInput,
    example: { leaseSeconds: 30, cache: { maxUses: 1000 } },
    status: 200,
    answers: tenantView,
    command: true,
    ifMatch: true,
    refuses: ['tenant_killed', 'tenant_blocked'],
  })
  async policy(
    @Param('tenant') tenant: string,
    @Body() body: PolicyInput,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const command = { kind: 'ChangePolicy', policy: body } as const;
    // A killed tenant goes on by the policy under which it was killed, its shred included.
    return this.change(tenant, command, context, reply, () => refuseKilled(this.commands, tenant));
  }

  private async change(
    tenant: string,
    command: CommandOf<'tenant'>,
    context: CommandContext,
    reply: FastifyReply,
    guard?: () => Promise<void>,
  ) {
    const stream = streamOf('tenant', tenant);
    const handled = await this.commands.run('tenant', stream, command, context, guard);
    return this.views.one(tenant, this.answers.accepted(reply, handled), reply);
  }
}
