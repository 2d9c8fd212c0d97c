import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import { UNPACED, VERSION_STATES } from '@kcm/domain';
import { KcmError, LIMITS, streamOf } from '@kcm/kernel';
import { Answers, Body, Context, Endpoint, Reply, tagged, Token } from '@kcm/platform';
import type { ListQuery, Page, ReadToken } from '@kcm/read-models';
import type { KeyUsageDoc } from '@projections/key-usage';
import type { KeyDoc } from '@projections/tenant-keys';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Waiting } from './waiting.js';

const destroyBody = z.strictObject({
  acceptUnreported: z
    .literal(true)
    .optional()
    .describe('also where an Edge may have protected more with it than it told'),
});
const rewrappingBody = z.strictObject({
  paused: z.boolean().optional(),
  perSecondMax: z.number().positive().max(LIMITS.rewrapsPerSecondMax).nullable().optional(),
});
const pace = z.object({ paused: z.boolean(), perSecondMax: z.number().nullable() });
const usageView = z.object({
  key: z.string(),
  level: z.enum(['L2', 'L3']),
  current: z.number().int(),
  versions: z.array(
    z.object({
      version: z.number().int(),
      state: z.enum(VERSION_STATES),
      inUse: z.number().int().describe('what still hangs from it: keys (L2), records (L3)'),
      protected: z.number().int().nullable(),
      moved: z.number().int().nullable(),
      opened: z.number().int().nullable(),
      exported: z.number().int().nullable(),
    }),
  ),
  rewrapping: pace.nullable().describe('of an L2: how its keys are wrapped anew'),
});

/** What hangs from each version of a key, how it is moved, and how a version ends. */
@Controller()
export class KeyVersionsController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Waiting) private readonly waiting: Waiting,
    @Inject(Answers) private readonly answers: Answers,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/keys/:key/usage',
    summary: 'What hangs from each version of the key, as far as its holders told',
    roles: ['key-admin', 'auditor', 'platform-auditor'],
    status: 200,
    answers: usageView,
  })
  async usage(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Token() token: ReadToken | null,
  ) {
    return this.view(await this.stored(tenant, key, token));
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/keys/:key/versions/:version/destroy',
    summary: 'Destroy a version from which nothing hangs any more; its material is erased',
    roles: ['key-admin'],
    body: destroyBody,
    status: 200,
    answers: usageView,
    command: true,
    ifMatch: true,
    refuses: ['wrong_state', 'key_in_use', 'key_destroyed'],
  })
  async destroy(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Param('version') text: string,
    @Body() { acceptUnreported }: z.infer<typeof destroyBody>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    await this.stored(tenant, key, null);
    const version = versionIn(text);
    const handled = await this.commands.run(
      'key',
      streamOf('key', tenant, key),
      {
        kind: 'RequestDestruction',
        version,
        operation: context.commandId,
        cause: 'command',
        ...(acceptUnreported && { acceptUnreported }),
      },
      context,
    );
    const token = await this.waiting.settled(reply, handled, context.commandId);
    return this.view(await this.stored(tenant, key, token), reply);
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/keys/:key/rewrapping',
    summary:
      'Pause, resume or pace the wrapping anew of what hangs from earlier versions of the L2',
    roles: ['key-admin'],
    body: rewrappingBody,
    status: 200,
    answers: usageView,
    command: true,
    ifMatch: true,
    refuses: ['wrong_state'],
  })
  async rewrapping(
    @Param('tenant') tenant: string,
    @Param('key') key: string,
    @Body() change: z.infer<typeof rewrappingBody>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    await this.stored(tenant, key, null);
    const handled = await this.commands.run(
      'key',
      streamOf('key', tenant, key),
      { kind: 'ChangeRewrapping', ...change },
      context,
    );
    const token = this.answers.accepted(reply, handled);
    return this.view(await this.stored(tenant, key, token), reply);
  }

  private async view(doc: KeyDoc, reply?: FastifyReply) {
    if (reply !== undefined) tagged(reply, doc.revision);
    const { id, tenant, level, current, rewrapping } = doc;
    const of = level === 'L2' ? await this.children(tenant, id) : await this.uses(tenant, id);
    const versions = doc.versions.map(({ version, state }) => ({
      version,
      state,
      ...(of.get(version) ?? NOTHING),
    }));
    return {
      key: id,
      level,
      current,
      versions,
      rewrapping: level === 'L2' ? (rewrapping ?? UNPACED) : null,
    };
  }

  /** Versions of L3 that each version of the L2 wraps. */
  private async children(tenant: string, l2: string): Promise<ReadonlyMap<number, Uses>> {
    const counts = new Map<number, Uses>();
    for await (const { parent, versions } of this.all<KeyDoc>('tenant-keys', {
      tenant,
      level: 'L3',
    }))
      for (const { state, wrappedBy } of versions) {
        if (parent !== l2 || state.startsWith('destroyed')) continue;
        const under = Number(wrappedBy.version);
        counts.set(under, { ...NOTHING, inUse: (counts.get(under)?.inUse ?? 0) + 1 });
      }
    return counts;
  }

  private async uses(tenant: string, key: string): Promise<ReadonlyMap<number, Uses>> {
    const counts = new Map<number, Uses>();
    for await (const doc of this.all<KeyUsageDoc>('key-usage', { tenant, key })) {
      const { version, moved, opened, exported } = doc;
      const inUse = Math.max(0, doc.protected - moved);
      counts.set(version, { inUse, protected: doc.protected, moved, opened, exported });
    }
    return counts;
  }

  private async *all<D>(name: string, where: Record<string, string>): AsyncGenerator<D> {
    for (let after: string | null = null; ;) {
      const query: ListQuery = {
        where,
        limit: LIMITS.listItemsMax,
        ...(after !== null && { cursor: after }),
      };
      const page: Page<D> = await this.queries.list<D>(name, query);
      for (const { doc } of page.items) yield doc;
      if (page.next === null) return;
      after = page.next;
    }
  }

  private stored(tenant: string, key: string, token: ReadToken | null): Promise<KeyDoc> {
    return this.queries.one<KeyDoc>('tenant-keys', `${tenant}/${key}`, token);
  }
}

interface Uses {
  readonly inUse: number;
  readonly protected: number | null;
  readonly moved: number | null;
  readonly opened: number | null;
  readonly exported: number | null;
}
const NOTHING: Uses = { inUse: 0, protected: null, moved: null, opened: null, exported: null };

function versionIn(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new KcmError('not_found', 'This key has no such version.');
  return Number(text);
}
