import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import { KcmError, streamOf } from '@kcm/kernel';
import {
  Answers,
  Body,
  Context,
  Endpoint,
  listed,
  listOf,
  pageOf,
  type Paging,
  pagingQuery,
  type Principal,
  QueryInput,
  Reply,
  tagged,
  Token,
  Who,
} from '@kcm/platform';
import { type LockKind, operationIdOf } from '@kcm/domain';
import type { ReadToken } from '@kcm/read-models';
import { type BlobStore, Directory } from '@kcm/vault';
import type { RevocationDoc } from '@projections/revocations';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { EarlyLocks } from './early-locks.js';
import { empty, scope } from './schemas.js';
import { Waiting } from './waiting.js';

const reason = z.strictObject({
  code: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'must match [a-z0-9][a-z0-9_-]{0,63}'),
  text: z.string().max(2_000).optional(),
});
/** The lock that each kind takes. */
const LOCKS = {
  suspend: 'suspended',
  'read-only': 'readOnly',
  kill: 'killed',
} as const satisfies { readonly [kind: string]: LockKind };
const KINDS = Object.keys(LOCKS) as (keyof typeof LOCKS)[];
const request = z
  .strictObject({ kind: z.enum(KINDS, 'suspend, read-only or kill'), scope, reason })
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
  kind: z.enum([...KINDS, 'provider-denied', 'l1-destroyed']),
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
    @Inject(EarlyLocks) private readonly early: EarlyLocks,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/revocations',
    summary: 'Suspend a tenant or one service or let it only decrypt, or kill a tenant (lock)',
    roles: ACTORS,
    body: request,
    example: {
      kind: 'suspend',
      scope: { service: 'billing' },
      reason: { code: 'incident', text: 'a laptop was lost' },
    },
    status: 201,
    answers: revocationView,
    command: true,
    actsFirst: true,
    refuses: ['wrong_state', 'tenant_killed'],
  })
  async create(
    @Param('tenant') tenant: string,
    @Body() body: z.infer<typeof request>,
    @Who() principal: Principal,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    // In an emergency the platform ends access; how a customer goes on is not for it to say.
    if (body.kind === 'read-only' && principal.tenant === null)
      throw new KcmError('forbidden', 'Only people of the tenant make it read-only.');
    const id = context.commandId;
    const lock = {
      kind: 'TakeLock',
      lock: id,
      lockKind: LOCKS[body.kind],
      scope: body.scope,
      owner: 'tenant',
      cause: body.reason.code,
      lockedBy: context.actor,
    } as const;
    const handled = await this.early.take(tenant, lock, context, () =>
      this.keepReason(tenant, id, body.reason.text),
    );
    this.answers.accepted(reply, handled);
    void reply.header('Location', `/v1/tenants/${tenant}/revocations/${id}`);
    const opened = await this.waiting.until(reply, operationIdOf.lock(tenant, id), () =>
      this.queries.get<RevocationDoc>('revocations', `${tenant}/${id}`),
    );
    if (opened !== null) return this.answer(opened, reply);
    return { id, kind: body.kind, scope: body.scope, stage: 'locked' };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/revocations',
    summary: 'The revocations, newest first, those opened by the keystore included',
    roles: READERS,
    query: pagingQuery,
    status: 200,
    answers: listOf(revocationView),
  })
  async list(
    @Param('tenant') tenant: string,
    @QueryInput() paging: Paging,
    @Token() token: ReadToken | null,
  ) {
    const newest = { range: { field: 'startedAt' }, order: 'desc' } as const;
    const query = { where: { tenant }, ...newest, ...pageOf(paging) };
    const page = await this.queries.list<RevocationDoc>('revocations', query, token);
    return listed(page, (doc) => this.view(doc));
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
    @Reply() reply: FastifyReply,
  ) {
    return this.answer(await this.stored(tenant, revocation, token), reply);
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/revocations/:revocation/release',
    summary: 'Lift a suspend or a read-only; not by who locked. A kill needs a quorum.',
    roles: ['tenant-admin'],
    body: empty,
    status: 200,
    answers: revocationView,
    command: true,
    refuses: ['wrong_state', 'tenant_killed', 'approval_required'],
  })
  async release(
    @Param('tenant') tenant: string,
    @Param('revocation') revocation: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const command = {
      kind: 'ReleaseLock',
      lock: revocation,
      owner: 'tenant',
      releasedBy: context.actor,
    } as const;
    const handled = await this.commands
      .run('access', streamOf('access', tenant), command, context)
      .catch(async (error: unknown) => {
        throw await this.whyNotReleased(error, tenant, revocation);
      });
    this.answers.accepted(reply, handled);
    const operation = operationIdOf.release(tenant, revocation);
    return this.reached(tenant, revocation, operation, reply, 'released');
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
    ifMatch: true,
    refuses: ['wrong_state', 'approval_required'],
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
    const operation = operationIdOf.shred(tenant, revocation);
    return this.reached(tenant, revocation, operation, reply, 'shredded');
  }

  /** Before the lock, so that the reason is there when the record is. */
  private async keepReason(tenant: string, id: string, text: string | undefined) {
    if (text === undefined) return;
    await this.directory.putIfAbsent(`reason/${tenant}/${id}`, Buffer.from(text));
  }

  /** A lock that is not held, of a revocation that there is, was released. */
  private async whyNotReleased(error: unknown, tenant: string, revocation: string) {
    if (!(error instanceof KcmError) || error.code !== 'not_found') return error;
    const stream = streamOf('revocation', tenant, revocation);
    const { status } = await this.commands.state('revocation', stream);
    return status === 'absent'
      ? error
      : new KcmError('wrong_state', 'This revocation was released.');
  }

  private async reached(
    tenant: string,
    revocation: string,
    operation: string,
    reply: FastifyReply,
    stage: RevocationDoc['stage'],
  ) {
    const found = await this.waiting.until(reply, operation, async () => {
      const doc = await this.stored(tenant, revocation, null);
      return doc.stage === stage ? doc : null;
    });
    return this.answer(found ?? (await this.stored(tenant, revocation, null)), reply);
  }

  /** As it is now, with its ETag. */
  private answer(doc: RevocationDoc, reply: FastifyReply) {
    tagged(reply, doc.revision);
    return this.view(doc);
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
