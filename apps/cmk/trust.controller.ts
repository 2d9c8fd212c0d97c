import { Controller, Inject, Param } from '@nestjs/common';
import { Queries } from '@kcm/application';
import { LOCK_RECEIPTS } from '@kcm/domain';
import { KcmError } from '@kcm/kernel';
import { Endpoint, REGION, Reply } from '@kcm/platform';
import { type BlobStore, Vault } from '@kcm/vault';
import type { RevocationDoc } from '@projections/revocations';
import type { TenantDoc } from '@projections/tenants';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { REGION_KEYS, type RegionKeysSource } from './ports.js';
import { policy, scope } from './schemas.js';

const trustView = z.object({
  format: z.literal(1),
  region: z.string(),
  tenant: z.string(),
  signing: z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() }),
  ca: z.string(),
  policy,
});
const lockView = z.object({
  lock: z.string(),
  kind: z.string(),
  scope,
  cause: z.string(),
  since: z.string(),
});
const EVERY_TENANT_ROLE = [
  'tenant-admin',
  'key-admin',
  'approver',
  'auditor',
  'platform-operator',
  'platform-auditor',
] as const;

/** What a verifier pins, what locks a tenant, and the receipts. */
@Controller()
export class TrustController {
  constructor(
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Vault) private readonly vault: BlobStore,
    @Inject(REGION_KEYS) private readonly regionKeys: RegionKeysSource,
    @Inject(REGION) private readonly region: string,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/trust',
    summary: 'What a verifier of receipts pins at onboarding: trust.json',
    roles: EVERY_TENANT_ROLE,
    status: 200,
    answers: trustView,
  })
  async trust(@Param('tenant') tenant: string) {
    const doc = await this.queries.one<TenantDoc>('tenants', tenant);
    const keys = this.regionKeys.keys();
    const signing = { kty: 'OKP', crv: 'Ed25519', x: keys.signing };
    return { format: 1, region: this.region, tenant, signing, ca: keys.ca, policy: doc.policy };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/locks',
    summary: 'The locks that are held; access is open when there is none',
    roles: EVERY_TENANT_ROLE,
    status: 200,
    answers: z.object({ items: z.array(lockView), nextCursor: z.null() }),
  })
  async locks(@Param('tenant') tenant: string) {
    const doc = await this.queries.one<TenantDoc>('tenants', tenant);
    return { items: doc.access.locks, nextCursor: null };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/tenants/:tenant/revocations/:revocation/receipt',
    summary: 'The signed receipt: one compact JWS, verified offline by `kcm receipt verify`',
    roles: ['tenant-admin', 'key-admin', 'approver', 'auditor', 'platform-auditor'],
    status: 200,
    answers: z.string(),
    produces: 'application/jose',
    refuses: ['wrong_state', 'integrity'],
  })
  async receipt(
    @Param('tenant') tenant: string,
    @Param('revocation') revocation: string,
    @Reply() reply: FastifyReply,
  ): Promise<string> {
    const key = `${tenant}/${revocation}`;
    const doc = await this.queries.one<RevocationDoc>('revocations', key);
    if (LOCK_RECEIPTS[doc.kind] === null)
      throw new KcmError('not_found', 'A read-only has no receipt: every holder keeps its keys.');
    const issued = doc.receipts.at(-1);
    if (issued === undefined) {
      throw new KcmError(
        'wrong_state',
        `The receipt is issued when every holder has answered, at the latest after ${doc.hardBound}.`,
      );
    }
    const jws = await this.vault.get(`receipts/${key}/${issued.receipt}`);
    if (jws === null) throw new KcmError('integrity', 'The receipt is not in the vault.');
    void reply.type('application/jose');
    return jws.toString('ascii');
  }
}
