import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import { KcmError, streamOf } from '@kcm/kernel';
import { Answers, Body, Context, Endpoint, QueryInput, Reply, Token } from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import { type BlobStore, Directory } from '@kcm/vault';
import type { RevocationDoc } from '@projections/revocations';
import type { TenantDoc } from '@projections/tenants';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { empty, listOf, type Paging, pagingQuery, scope } from './schemas.js';
import { preferredWaitMs, Waiting } from './waiting.js';

const reason = z.strictObject({
  code: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'must match [a-z0-9][a-z0-9_-]{0,63}'),
  text: z.string().max(2_000).optional(),
});
const request = z
  .strictObject({ kind: z.enum(['suspend', 'kill'], 'suspend or kill'), scope, reason })
  .refine((body) => body.kind !== 'kill' || 'all' in body.scope, {
    path: ['scope'],
    message: 'a kill concerns the whole tenant: {"all":true}',
  });
const holder = z.object({
  id: z.string(),
  refusedAt: z.string().nullable(),
  erasedAt: z.string().nullable(),
  lastGrantEnds: z.string().nullable(),
});
const revocationView = z.object({
  id: z.string(),
  kind: z.enum(['suspend', 'kill', 'provider-denied', 'l1-destroyed']),
  scope,
  stage: z.enum(['locked', 'shredded', 'released']),
  reason: z.object({ code: z.string(), text: z.string().nullable() }),
  startedAt: z.string(),
  hardBound: z.string(),
  holders: z.array(holder),
  receipt: z.string().nullable(),
});
const ACTORS = ['tenant-admin', 'key-admin', 'platform-operator'] as const;
const READERS = [...ACTORS, 'approver', 'auditor', 'platform-auditor'] as const;
const SHREDDERS = ['tenant-admin', 'key-admin', 'approver'] as const;

@Controller()
export class RevocationsController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(Waiting) private readonly waiting: Waiting,
    @Inject(Directory) private readonly directory: BlobStore,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/revocations',
    summary: 'Suspend the tenant or one service, or kill the tenant (stage one: lock)',
    roles: ACTORS,
    body: request,
    status: 201,
    answers: revocationView,
    command: true,
  })
  async create(
    @Param('tenant') tenant: string,
    @Body() body: z.infer<typeof request>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const doc = await this.queries.one<TenantDoc>('tenants', tenant);
    if ('service' in body.scope && !doc.services.includes(body.scope.service)) {
      throw new KcmError('not_found', 'No such service.');
    }
    const id = context.commandId;
    const { text } = body.reason;
    // Before the lock, so that the reason is there when the record is.
    if (text !== undefined) {
      await this.directory.putIfAbsent(`reason/${tenant}/${id}`, Buffer.from(text));
    }
    const handled = await this.commands.run(
      'access',
      streamOf('access', tenant),
      {
        kind: 'TakeLock',
        lock: id,
        lockKind: body.kind === 'kill' ? 'killed' : 'suspended',
        scope: body.scope,
        owner: 'tenant',
        cause: body.reason.code,
        lockedBy: context.actor,
      },
      context,
    );
    this.answers.accepted(reply, handled);
    const path = `/v1/tenants/${tenant}/revocations/${id}`;
    void reply.header('Location', path);
    const opened = await this.waiting.until(preferredWaitMs(reply.request.headers['prefer']), () =>
      this.queries.get<RevocationDoc>('revocations', `${tenant}/${id}`),
    );
    if (opened !== null) return this.view(opened);
    void reply.status(202);
    return { id, kind: body.kind, scope: body.scope, stage: 'locked' };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/revocations',
    summary: 'The revocations, those opened by the keystore included',
    roles: READERS,
    query: pagingQuery,
    status: 200,
    answers: listOf(revocationView),
  })
  async list(
    @Param('tenant') tenant: string,
    @QueryInput() { limit, cursor }: Paging,
    @Token() token: ReadToken | null,
  ) {
    const query = { where: { tenant }, limit, ...(cursor === undefined ? {} : { cursor }) };
    const page = await this.queries.list<RevocationDoc>('revocations', query, token);
    const items = await Promise.all(page.items.map(({ doc }) => this.view(doc)));
    return { items, nextCursor: page.next };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/revocations/:revocation',
    summary: 'A revocation: who has acknowledged, who is silent until when',
    roles: READERS,
    status: 200,
    answers: revocationView,
  })
  async one(
    @Param('tenant') tenant: string,
    @Param('revocation') revocation: string,
    @Token() token: ReadToken | null,
  ) {
    return this.view(await this.stored(tenant, revocation, token));
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/revocations/:revocation/release',
    summary: 'Lift a suspend; not by who suspended. A kill needs a quorum.',
    roles: ['tenant-admin'],
    body: empty,
    status: 200,
    answers: revocationView,
    command: true,
  })
  async release(
    @Param('tenant') tenant: string,
    @Param('revocation') revocation: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const doc = await this.stored(tenant, revocation, null);
    if (doc.stage === 'released') {
      throw new KcmError('wrong_state', 'This revocation was released.');
    }
    const handled = await this.commands.run(
      'access',
      streamOf('access', tenant),
      {
        kind: 'ReleaseLock',
        lock: revocation,
        owner: 'tenant',
        releasedBy: context.actor,
      },
      context,
    );
    this.answers.accepted(reply, handled);
    return this.reached(tenant, revocation, reply, (found) => found.stage === 'released');
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/revocations/:revocation/shred',
    summary: 'Shred what a kill locked: nothing brings it back. Not by who locked.',
    roles: SHREDDERS,
    body: empty,
    status: 200,
    answers: revocationView,
    command: true,
  })
  async shred(
    @Param('tenant') tenant: string,
    @Param('revocation') revocation: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const handled = await this.commands.run(
      'revocation',
      streamOf('revocation', tenant, revocation),
      { kind: 'RequestShred', requestedBy: context.actor },
      context,
    );
    this.answers.accepted(reply, handled);
    return this.reached(tenant, revocation, reply, (found) => found.stage === 'shredded');
  }

  private async reached(
    tenant: string,
    revocation: string,
    reply: FastifyReply,
    done: (doc: RevocationDoc) => boolean,
  ) {
    const path = `/v1/tenants/${tenant}/revocations/${revocation}`;
    const waitMs = preferredWaitMs(reply.request.headers['prefer']);
    const found = await this.waiting.until(waitMs, async () => {
      const doc = await this.stored(tenant, revocation, null);
      return done(doc) ? doc : null;
    });
    if (found === null) void reply.status(202).header('Location', path);
    return this.view(found ?? (await this.stored(tenant, revocation, null)));
  }

  private stored(tenant: string, revocation: string, token: ReadToken | null) {
    return this.queries.one<RevocationDoc>('revocations', `${tenant}/${revocation}`, token);
  }

  private async view(doc: RevocationDoc) {
    const { id, kind, scope, stage, startedAt, hardBound, holders } = doc;
    const text = await this.directory.get(`reason/${doc.tenant}/${id}`);
    const reason = { code: doc.cause, text: text?.toString('utf8') ?? null };
    const receipt = doc.receipts.at(-1)?.receipt ?? null;
    return { id, kind, scope, stage, reason, startedAt, hardBound, holders, receipt };
  }
}
