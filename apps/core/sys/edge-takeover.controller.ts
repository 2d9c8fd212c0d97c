import { Controller, Inject, Param } from '@nestjs/common';
import { type CommandContext, Commands, Queries } from '@kcm/application';
import { type Clock, streamOf } from '@kcm/kernel';
import {
  Answers,
  Body,
  CLOCK,
  compromiseFields,
  Context,
  Endpoint,
  exposureOf,
  exposureView,
  listed,
  listOf,
  pageOf,
  type Paging,
  pagingQuery,
  pastSince,
  QueryInput,
  REGION,
  Reply,
  tagged,
  Token,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import type { EdgeDoc } from '@projections/edges';
import type { ExposureDoc } from '@projections/exposures';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { edgeView, viewOf } from './edges.controller.js';

const compromiseBody = z.strictObject(compromiseFields);

/** An Edge in other hands: it is refused at once, and every key that it held is replaced. */
@Controller()
export class EdgeTakeoverController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Queries) private readonly queries: Queries,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(REGION) private readonly region: string,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/edges/:edge/compromise',
    summary:
      'An Edge was taken over: its certificate is refused from now on, and every key version that it held since then is compromised and replaced',
    roles: ['platform-operator'],
    body: compromiseBody,
    example: { since: '2031-05-01T00:00:00Z' },
    status: 200,
    answers: edgeView,
    command: true,
    ifMatch: true,
  })
  async compromise(
    @Param('edge') edge: string,
    @Body() { since, processing }: z.infer<typeof compromiseBody>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    const command = {
      kind: 'CompromiseEdge',
      since: pastSince(this.clock, since),
      processing,
      operation: context.commandId,
    } as const;
    const stream = streamOf('edge', this.region, edge);
    const handled = await this.commands.run('edge', stream, command, context);
    const doc = await this.stored(edge, this.answers.accepted(reply, handled));
    tagged(reply, doc.revision);
    return viewOf(doc);
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/edges/:edge/exposures',
    summary: 'What may have been exposed by an Edge that was taken over, by tenant and key version',
    roles: ['platform-operator', 'platform-auditor'],
    query: pagingQuery,
    status: 200,
    answers: listOf(exposureView),
  })
  async exposures(
    @Param('edge') edge: string,
    @QueryInput() paging: Paging,
    @Token() token: ReadToken | null,
  ) {
    await this.stored(edge, token);
    const query = { where: { by: `edge:${edge}` }, ...pageOf(paging) };
    return listed(await this.queries.list<ExposureDoc>('exposures', query, token), exposureOf);
  }

  private stored(edge: string, token: ReadToken | null): Promise<EdgeDoc> {
    return this.queries.one<EdgeDoc>('edges', `${this.region}/${edge}`, token);
  }
}
