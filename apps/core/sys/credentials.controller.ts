import { Controller, Inject } from '@nestjs/common';
import { type CommandContext, Commands, Subjects } from '@kcm/application';
import { SealService } from '@kcm/custody';
import {
  type Clock,
  KcmError,
  LIMITS,
  rfc3339,
  SERVICE_ID,
  streamOf,
  TENANT_ID,
  uuidv5,
} from '@kcm/kernel';
import {
  Answers,
  Body,
  CLOCK,
  Config,
  Context,
  Endpoint,
  isPlatformRole,
  lineOfText,
  Reply,
  ROLES,
} from '@kcm/platform';
import { type BlobStore, Directory } from '@kcm/vault';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { RegionService } from './region-service.js';

const OPERATOR = ['platform-operator'] as const;
const token = z
  .strictObject({
    tenant: z.string().regex(TENANT_ID).optional(),
    subject: lineOfText(256),
    roles: z.array(z.enum(ROLES)).min(1).max(ROLES.length),
    ttlSeconds: z
      .number()
      .int()
      .min(1)
      .max(LIMITS.tokenSecondsMax)
      .default(LIMITS.tokenSecondsDefault),
  })
  .refine((body) => body.roles.every((role) => isPlatformRole(role) === !body.tenant), {
    path: ['roles'],
    message: 'platform roles go without a tenant, the others with one',
  });
const certificate = z.strictObject({
  tenant: z.string().regex(TENANT_ID),
  service: z.string().regex(SERVICE_ID),
  csr: z.string().min(1).max(16_384),
  days: z
    .number()
    .int()
    .min(1)
    .max(LIMITS.certificateDaysMax)
    .default(LIMITS.certificateDaysDefault),
});

/** For people without an OIDC provider or a PKI of their own. */
@Controller()
export class CredentialsController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(RegionService) private readonly region: RegionService,
    @Inject(SealService) private readonly seals: SealService,
    @Inject(Subjects) private readonly subjects: Subjects,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(Directory) private readonly directory: BlobStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(Config) private readonly config: Config,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/tokens',
    summary: 'Issue an access token by the local issuer',
    roles: OPERATOR,
    body: token,
    example: { tenant: 'acme', subject: 'anna', roles: ['key-admin'], ttlSeconds: 3600 },
    status: 201,
    answers: z.object({ token: z.string(), expiresAt: z.string() }),
    command: true,
    refuses: ['not_found', 'wrong_state'],
  })
  async token(
    @Body() body: z.infer<typeof token>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    if (this.config.KCM_OIDC_ISSUERS.length > 0) {
      throw new KcmError('wrong_state', 'Tokens come from the OIDC issuers (KCM_OIDC_ISSUERS).');
    }
    const tenant = body.tenant ?? null;
    if (tenant !== null) await this.assertRegistered(tenant);
    const seconds = Math.floor(this.clock.wallMs() / 1000) + body.ttlSeconds;
    const subject = await this.subjects.opaque(tenant, body.subject);
    await this.subjects.remember(tenant, body.subject, subject);
    const issued = {
      jti: uuidv5(context.commandId),
      tenant,
      subject,
      roles: body.roles,
      expiresAt: rfc3339(seconds * 1000),
    };
    const handled = await this.region.record({ kind: 'RecordToken', token: issued }, context);
    // A repeated command gets the token of the first one: what its event says.
    const recorded = handled.events.find((event) => event.type === 'TokenIssued');
    const { expiresAt } = recorded?.data ?? issued;
    const signed = await this.seals.custody().signToken({
      subject: body.subject,
      tenant,
      roles: body.roles,
      jti: issued.jti,
      expiresAtSeconds: Date.parse(expiresAt) / 1000,
    });
    this.answers.accepted(reply, handled);
    return { token: signed, expiresAt };
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/certificates',
    summary: 'Issue a client certificate to a workload (tenant, service) for its own key',
    roles: OPERATOR,
    body: certificate,
    example: {
      tenant: 'acme',
      service: 'billing',
      csr: '-----BEGIN CERTIFICATE REQUEST-----\n…',
      days: 30,
    },
    status: 201,
    answers: z.object({
      san: z.string(),
      certificate: z.string(),
      ca: z.string(),
      notAfter: z.string(),
    }),
    command: true,
    refuses: ['not_found', 'wrong_state', 'integrity'],
  })
  async certificate(
    @Body() { tenant, service, csr, days }: z.infer<typeof certificate>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const { authority } = this.seals.custody();
    await this.assertRegistered(tenant);
    const issued = await authority.issueFromCsr({ kind: 'workload', tenant, service }, csr, days);
    const { san, ca, notAfter, sha256 } = issued;
    // Public, and kept so that a repeated command answers with the certificate its event names.
    await this.directory.put(`certificate/${sha256}`, Buffer.from(issued.certificate));
    const record = { san, certificateSha256: sha256, notAfter };
    const handled = await this.region.record(
      { kind: 'RecordCertificate', certificate: record },
      context,
    );
    this.answers.accepted(reply, handled);
    const first = handled.events.find((event) => event.type === 'CertificateIssued')?.data;
    const named = first ?? record;
    const stored = await this.directory.get(`certificate/${named.certificateSha256}`);
    if (stored === null) throw new KcmError('integrity', 'The certificate was not kept.');
    return { san: named.san, certificate: stored.toString(), ca, notAfter: named.notAfter };
  }

  /** Nobody speaks for a tenant that may be registered one day. @throws KcmError not_found */
  private async assertRegistered(tenant: string): Promise<void> {
    const { status } = await this.commands.state('tenant', streamOf('tenant', tenant));
    if (status !== 'absent') return;
    const errors = [{ path: 'tenant', code: 'not_found', detail: `${tenant} is not registered` }];
    throw new KcmError('not_found', 'There is no such tenant.', { errors });
  }
}
