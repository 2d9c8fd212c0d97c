import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import type { CommandOf } from '@kcm/domain';
import { credentialsPath, sealCredentials, sha256Hex } from '@kcm/crypto';
import { KcmError, streamOf, uuidv5 } from '@kcm/kernel';
import type { DriverRegistry } from '@kcm/keystores';
import {
  Body,
  Context,
  Endpoint,
  KEYSTORE_REFUSALS,
  listed,
  listOf,
  pageOf,
  type Paging,
  pagingQuery,
  QueryInput,
  REGION,
  Reply,
  Token,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import { type BlobStore, Vault } from '@kcm/vault';
import type { RootKeyDoc } from '@projections/root-keys';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { DRIVERS, REGION_KEYS, type RegionKeysSource } from './ports.js';
import { empty } from './schemas.js';
import { TenantViews } from './tenant-views.js';
import { Waiting } from './waiting.js';

const object = z.record(z.string(), z.json());
const connection = z.strictObject({
  keystore: z.string().min(1).max(32),
  reference: object,
  credentials: object.optional(),
  mode: z.literal('hyok', 'only hyok is available').default('hyok'),
});
const proof = z.object({
  at: z.string(),
  callId: z.string().nullable(),
  providerRequestId: z.string().nullable(),
});
const rootKeyView = z.object({
  id: z.string(),
  keystore: z.string(),
  reference: object,
  mode: z.string(),
  state: z.string(),
  primary: z.boolean(),
  code: z.string().nullable(),
  step: z.string().nullable(),
  lastProof: proof.nullable(),
  lastRefusal: proof.extend({ code: z.string(), step: z.string().nullable() }).nullable(),
});
const trustView = z.object({
  identity: z.string(),
  policy: z.string(),
  steps: z.array(z.string()),
  logField: z.string(),
});
const READERS = ['key-admin', 'auditor', 'platform-auditor'] as const;

@Controller()
export class RootKeysController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Waiting) private readonly waiting: Waiting,
    @Inject(TenantViews) private readonly views: TenantViews,
    @Inject(Vault) private readonly vault: BlobStore,
    @Inject(DRIVERS) private readonly drivers: DriverRegistry,
    @Inject(REGION_KEYS) private readonly regionKeys: RegionKeysSource,
    @Inject(REGION) private readonly region: string,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/root-keys',
    summary: 'Connect a root key that the customer holds; a live wrap and unwrap proves it',
    roles: ['key-admin'],
    body: connection,
    example: {
      keystore: 'software',
      reference: { url: 'http://127.0.0.1:8300', key: 'acme' },
      credentials: { token: 'as-the-keystore-gave-it' },
      mode: 'hyok',
    },
    status: 201,
    answers: rootKeyView,
    command: true,
    refuses: ['wrong_state', 'tenant_killed', ...KEYSTORE_REFUSALS],
  })
  async connect(
    @Param('tenant') tenant: string,
    @Body() body: z.infer<typeof connection>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    await this.views.stored(tenant, null);
    const driver = await this.drivers.get(body.keystore);
    const errors = driver.check(body.reference, body.credentials ?? null);
    if (errors.length > 0) {
      const names = errors.map((error) => error.path).join(', ');
      throw new KcmError('invalid_request', `These fields are wrong: ${names}.`, { errors });
    }
    const rootKeyId = `rk-${uuidv5(context.commandId).replaceAll('-', '').slice(0, 16)}`;
    const kept = await this.keep(tenant, rootKeyId, body.credentials);
    const command: CommandOf<'rootkeys'> = {
      kind: 'RequestConnection',
      rootKeyId,
      keystore: body.keystore,
      reference: body.reference,
      mode: body.mode,
      credentialsDigest: kept.digest,
      operation: context.commandId,
    };
    const handled = await this.commands
      .run('rootkeys', streamOf('rootkeys', tenant), command, context)
      .catch(async (error: unknown) => {
        const undecided = error instanceof KcmError && error.code === 'ledger_unavailable';
        if (kept.fresh && !undecided) await this.vault.erase(credentialsPath(tenant, rootKeyId));
        throw error;
      });
    void reply.header('Location', `/v1/tenants/${tenant}/root-keys/${rootKeyId}`);
    const token = await this.waiting.settled(reply, handled, context.commandId);
    return view(await this.stored(tenant, rootKeyId, token));
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/root-keys',
    summary: 'The connected root keys',
    roles: READERS,
    query: pagingQuery,
    status: 200,
    answers: listOf(rootKeyView),
  })
  async list(
    @Param('tenant') tenant: string,
    @QueryInput() paging: Paging,
    @Token() token: ReadToken | null,
  ) {
    const query = { where: { tenant }, ...pageOf(paging) };
    return listed(await this.queries.list<RootKeyDoc>('root-keys', query, token), view);
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/root-keys/:rootKey',
    summary: 'A root key and its last proof',
    roles: READERS,
    status: 200,
    answers: rootKeyView,
  })
  async one(
    @Param('tenant') tenant: string,
    @Param('rootKey') rootKey: string,
    @Token() token: ReadToken | null,
  ) {
    return view(await this.stored(tenant, rootKey, token));
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/root-keys/:rootKey/trust-policy',
    summary: 'The identity to trust and the policy to paste into the keystore',
    roles: READERS,
    status: 200,
    answers: trustView,
  })
  async trustPolicy(@Param('tenant') tenant: string, @Param('rootKey') rootKey: string) {
    const { keystore, reference } = await this.stored(tenant, rootKey, null);
    const driver = await this.drivers.get(keystore);
    return driver.trustPolicy(reference, tenant, this.region);
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/tenants/:tenant/root-keys/:rootKey/probe',
    summary: 'Try the root key now: a live wrap and unwrap',
    roles: ['key-admin'],
    body: empty,
    status: 200,
    answers: rootKeyView,
    command: true,
    refuses: ['wrong_state', 'tenant_killed', ...KEYSTORE_REFUSALS],
  })
  async probe(
    @Param('tenant') tenant: string,
    @Param('rootKey') rootKeyId: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const handled = await this.commands.run(
      'rootkeys',
      streamOf('rootkeys', tenant),
      { kind: 'RequestProbe', rootKeyId, operation: context.commandId },
      context,
    );
    const token = await this.waiting.settled(reply, handled, context.commandId);
    return view(await this.stored(tenant, rootKeyId, token));
  }

  /**
   * Sealed to Core, which alone can open it; cmk keeps no credential. A repeated command finds the
   * first sealing, whose digest its event already holds.
   */
  private async keep(
    tenant: string,
    rootKeyId: string,
    credentials: z.infer<typeof object> | undefined,
  ): Promise<{ digest: string | null; fresh: boolean }> {
    if (credentials === undefined) return { digest: null, fresh: false };
    const path = credentialsPath(tenant, rootKeyId);
    const recipient = Buffer.from(this.regionKeys.keys().transport, 'base64url');
    const sealed = await sealCredentials(recipient, tenant, rootKeyId, credentials);
    const fresh = await this.vault.putIfAbsent(path, sealed);
    const stored = fresh ? sealed : await this.vault.get(path);
    return { digest: sha256Hex(stored ?? sealed), fresh };
  }

  private stored(tenant: string, rootKey: string, token: ReadToken | null): Promise<RootKeyDoc> {
    return this.queries.one<RootKeyDoc>('root-keys', `${tenant}/${rootKey}`, token);
  }
}

function view(doc: RootKeyDoc) {
  const { id, keystore, reference, mode, state, primary, code, step } = doc;
  const { lastProof, lastRefusal } = doc;
  return { id, keystore, reference, mode, state, primary, code, step, lastProof, lastRefusal };
}
