import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands } from '@kcm/application';
import { type CommandOf, refusalsOf } from '@kcm/domain';
import { type Clock, KcmError, LIMITS, rfc3339, streamOf } from '@kcm/kernel';
import { Answers, Body, CLOCK, Context, Endpoint, Reply } from '@kcm/platform';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { keyView } from './key-view.js';
import { KeyViews } from './key-views.js';
import { time } from './schemas.js';

const version = z.number().int().min(1);
const oneVersion = z.strictObject({ version });
const maybeVersion = z.strictObject({
  version: version.optional().describe('the one that new use takes, if none is named'),
});
const compromiseBody = z
  .strictObject({
    version: version.optional(),
    versions: z
      .array(version)
      .min(1)
      .max(LIMITS.keyVersionsNamedMax)
      .optional()
      .describe('every version, if none is named'),
    since: time.describe('when it was first known, or feared, to others'),
    processing: z
      .enum(['refused', 'allowed'])
      .default('refused')
      .describe('whether what it protects may still be opened, and not only moved off it'),
  })
  .refine((body) => body.version === undefined || body.versions === undefined, {
    path: ['versions'],
    message: 'version or versions, not both',
  });
const OF_ONE_KEY = {
  method: 'POST',
  roles: ['key-admin'],
  status: 200,
  answers: keyView,
  command: true,
  ifMatch: true,
} as const;

/** A version's way through its states (NIST SP 800-57): what may follow what says `KEY_MATRIX`. */
@Controller()
export class KeyStatesController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(KeyViews) private readonly keys: KeyViews,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    ...OF_ONE_KEY,
    path: 'v1/tenants/:tenant/keys/:key/activate',
    summary: 'New use takes a version that was made ready; the one before only decrypts',
    body: oneVersion,
    example: { version: 2 },
    refuses: refusalsOf('activate'),
  })
  activate(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Body() body: z.infer<typeof oneVersion>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const command = { kind: 'ActivateVersion', operation: context.commandId, ...body } as const;
    return this.act(tenant, key, command, context, reply);
  }

  @Endpoint({
    ...OF_ONE_KEY,
    path: 'v1/tenants/:tenant/keys/:key/deactivate',
    summary: 'Nothing new is protected with a version; what it protected still opens',
    body: maybeVersion,
    refuses: refusalsOf('deactivate'),
  })
  deactivate(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Body() body: z.infer<typeof maybeVersion>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const command = { kind: 'DeactivateVersion', version: body.version ?? null } as const;
    return this.act(tenant, key, command, context, reply);
  }

  @Endpoint({
    ...OF_ONE_KEY,
    path: 'v1/tenants/:tenant/keys/:key/compromise',
    summary:
      'Mark versions as known to others: they protect nothing more and, unless that is allowed, open nothing',
    body: compromiseBody,
    example: { version: 1, since: '2031-05-01T00:00:00Z' },
    refuses: refusalsOf('compromise'),
  })
  compromise(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Body() body: z.infer<typeof compromiseBody>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const named = body.version === undefined ? body.versions : [body.version];
    const command = {
      kind: 'CompromiseVersions',
      versions: named ?? null,
      since: this.past(body.since),
      processing: body.processing,
    } as const;
    return this.act(tenant, key, command, context, reply);
  }

  @Endpoint({
    ...OF_ONE_KEY,
    path: 'v1/tenants/:tenant/keys/:key/archive',
    summary: 'Take a version that protects nothing new aside: nothing opens until it is recovered',
    body: oneVersion,
    example: { version: 1 },
    refuses: refusalsOf('archive'),
  })
  archive(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Body() body: z.infer<typeof oneVersion>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    return this.act(tenant, key, { kind: 'ArchiveVersion', ...body }, context, reply);
  }

  @Endpoint({
    ...OF_ONE_KEY,
    path: 'v1/tenants/:tenant/keys/:key/recover',
    summary: 'Bring an archived version back: it is what it was before',
    body: oneVersion,
    example: { version: 1 },
    refuses: refusalsOf('recover'),
  })
  recover(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Body() body: z.infer<typeof oneVersion>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    return this.act(tenant, key, { kind: 'RecoverVersion', ...body }, context, reply);
  }

  private async act(
    tenant: string,
    key: string,
    command: CommandOf<'key'>,
    context: CommandContext,
    reply: FastifyReply,
  ) {
    await this.keys.stored(tenant, key, null);
    const handled = await this.commands.run('key', streamOf('key', tenant, key), command, context);
    return this.keys.one(tenant, key, this.answers.accepted(reply, handled), reply);
  }

  /** In UTC. @throws KcmError invalid_request for what is still to come */
  private past(since: string): string {
    const at = Date.parse(since);
    if (at <= this.clock.wallMs()) return rfc3339(at);
    const errors = [{ path: 'since', code: 'in_the_future', detail: 'must not lie in the future' }];
    throw new KcmError('invalid_request', 'These fields are wrong: since.', { errors });
  }
}
