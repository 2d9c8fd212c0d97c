import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands } from '@kcm/application';
import { streamOf } from '@kcm/kernel';
import {
  Body,
  Context,
  Endpoint,
  KEYSTORE_REFUSALS,
  listOf,
  type Paging,
  pagingQuery,
  QueryInput,
  Reply,
  Token,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { keyView } from './key-view.js';
import { KeyViews } from './key-views.js';
import { Waiting } from './waiting.js';

const rotateBody = z.strictObject({
  prepare: z
    .boolean()
    .optional()
    .describe('only make the next version ready; new use takes it once it is activated'),
});
const READERS = ['key-admin', 'auditor', 'platform-auditor'] as const;

/** L2 and L3: versions and states, never material. */
@Controller()
export class KeysController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(KeyViews) private readonly keys: KeyViews,
    @Inject(Waiting) private readonly waiting: Waiting,
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
    return this.keys.list(tenant, paging, token);
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
    return this.keys.one(tenant, key, token, reply);
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/keys/:key/rotate',
    summary: 'Rotate an L3 or the L2: new use takes the new version, old ciphertext still opens',
    roles: ['key-admin'],
    body: rotateBody,
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
      'key_not_active',
      'key_compromised',
      'key_archived',
      ...KEYSTORE_REFUSALS,
    ],
  })
  async rotate(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Body() { prepare }: z.infer<typeof rotateBody>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    await this.keys.stored(tenant, key, null);
    const operation = context.commandId;
    const handled = await this.commands.run(
      'key',
      streamOf('key', tenant, key),
      { kind: 'RequestRotation', operation, ...(prepare === true && { prepare }) },
      context,
    );
    const token = await this.waiting.settled(reply, handled, context.commandId);
    return this.keys.one(tenant, key, token, reply);
  }
}
