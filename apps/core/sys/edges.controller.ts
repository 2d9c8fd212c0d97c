import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import { SealService } from '@kcm/custody';
import { EDGE_ID, LIMITS, SERVICE_ID, streamOf } from '@kcm/kernel';
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
  QueryInput,
  REGION,
  Reply,
  tagged,
  Token,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import { type BlobStore, Directory } from '@kcm/vault';
import type { EdgeDoc } from '@projections/edges';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';

const enrolment = z.strictObject({
  id: z.string().regex(EDGE_ID, 'must match [a-z0-9][a-z0-9-]{0,62}'),
  services: z.array(z.string().regex(SERVICE_ID)).min(1).max(64),
  csr: z.string().min(1).max(16_384),
});
export const edgeView = z.object({
  id: z.string(),
  region: z.string(),
  state: z.enum(['enrolled', 'revoked']),
  services: z.array(z.string()),
  certificateSha256: z.string(),
  notAfter: z.string(),
  compromised: z
    .object({
      since: z.string(),
      processing: z.enum(['allowed', 'refused']),
      at: z.string(),
      exposed: z
        .object({
          tenants: z.number().int(),
          keys: z.number().int(),
          versions: z.number().int(),
        })
        .nullable()
        .describe('what it held since then; null until all of that is marked'),
    })
    .nullable()
    .describe('null: as far as is known it was not taken over'),
});
const enrolledView = edgeView.extend({ certificate: z.string(), ca: z.string() });
const OPERATOR = ['platform-operator'] as const;
const READERS = ['platform-operator', 'platform-auditor'] as const;

/** Enrolment of Edges: a certificate for their own key, and which services they may serve. */
@Controller()
export class EdgesController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(SealService) private readonly seals: SealService,
    @Inject(Directory) private readonly directory: BlobStore,
    @Inject(REGION) private readonly region: string,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/edges',
    summary: 'Enrol an Edge, or give it a new certificate or other services',
    roles: OPERATOR,
    body: enrolment,
    example: { id: 'edge-1', services: ['billing'], csr: '-----BEGIN CERTIFICATE REQUEST-----\n…' },
    status: 201,
    answers: enrolledView,
    command: true,
    refuses: ['wrong_state'],
  })
  async enrol(
    @Body() { id, services, csr }: z.infer<typeof enrolment>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const { authority } = this.seals.custody();
    const identity = { kind: 'edge', region: this.region, edge: id } as const;
    const issued = await authority.issueFromCsr(identity, csr, LIMITS.certificateDaysDefault);
    // Public, and kept so that a repeated command answers with the certificate its event names.
    await this.directory.put(`certificate/${issued.sha256}`, Buffer.from(issued.certificate));
    const handled = await this.commands.run(
      'edge',
      streamOf('edge', this.region, id),
      {
        kind: 'EnrolEdge',
        services: [...new Set(services)].sort(),
        certificateSha256: issued.sha256,
        notAfter: issued.notAfter,
      },
      context,
    );
    const token = this.answers.accepted(reply, handled);
    void reply.header('Location', `/v1/edges/${id}`);
    const view = await this.one(id, token, reply);
    const stored = await this.directory.get(`certificate/${view.certificateSha256}`);
    const certificate = stored?.toString('utf8') ?? issued.certificate;
    return { ...view, certificate, ca: issued.ca };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/edges',
    summary: 'The enrolled Edges',
    roles: READERS,
    query: pagingQuery,
    status: 200,
    answers: listOf(edgeView),
  })
  async list(@QueryInput() paging: Paging, @Token() token: ReadToken | null) {
    const query = { where: { region: this.region }, ...pageOf(paging) };
    return listed(await this.queries.list<EdgeDoc>('edges', query, token), viewOf);
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/edges/:edge',
    summary: 'An Edge',
    roles: READERS,
    status: 200,
    answers: edgeView,
  })
  async one(
    @Param('edge') edge: string,
    @Token() token: ReadToken | null,
    @Reply() reply: FastifyReply,
  ) {
    const doc = await this.queries.one<EdgeDoc>('edges', `${this.region}/${edge}`, token);
    tagged(reply, doc.revision);
    return viewOf(doc);
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/edges/:edge/revoke',
    summary: 'Revoke an Edge: its certificate is refused from now on',
    roles: OPERATOR,
    body: z.strictObject({}),
    status: 200,
    answers: edgeView,
    command: true,
    ifMatch: true,
    refuses: ['wrong_state'],
  })
  async revoke(
    @Param('edge') edge: string,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const stream = streamOf('edge', this.region, edge);
    const handled = await this.commands.run('edge', stream, { kind: 'RevokeEdge' }, context);
    const token = this.answers.accepted(reply, handled);
    return this.one(edge, token, reply);
  }
}

export function viewOf(doc: EdgeDoc) {
  const { id, region, state, services, certificateSha256, notAfter } = doc;
  return { id, region, state, services, certificateSha256, notAfter, ...compromisedOf(doc) };
}

function compromisedOf({ compromised }: EdgeDoc) {
  if (compromised === null) return { compromised };
  const { since, processing, at, exposed } = compromised;
  return { compromised: { since, processing, at, exposed } };
}
