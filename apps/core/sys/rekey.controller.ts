import { Controller, Inject } from '@nestjs/common';
import type { CommandContext } from '@kcm/application';
import type { CeremonyAsk, CeremonyView } from '@kcm/custody';
import { Answers, Body, Context, Endpoint, Reply } from '@kcm/platform';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { RegionService } from './region-service.js';
import { ceremonyView, newShares, OPERATOR, threshold } from './seal-schemas.js';

const providing = z.strictObject({
  /** The id that the holders agreed on: a share is given to that ceremony and to no other. */
  ceremony: z.string().min(1).max(64),
  share: z.string().min(1).max(1_024),
});
const cancelling = z.strictObject({ cancel: z.literal(true) });
const rekeying = z.union([
  threshold(z.strictObject({ ...newShares, seal: z.enum(['shamir', 'keystore']).optional() })),
  providing,
  cancelling,
]);
const rotating = z.union([z.strictObject({ begin: z.literal(true) }), providing, cancelling]);
const stepView = z.object({
  ceremony: ceremonyView.nullable(),
  /** New shares, each shown this once. */
  shares: z.array(z.string()).readonly().nullable(),
  done: z.boolean(),
});
type Answer = z.infer<typeof stepView>;
const REFUSES = ['share_refused', 'rate_limited', 'wrong_state'] as const;

/**
 * Changes of what opens the region, by a quorum of its shares: begun, given shares one by one, or
 * cancelled, each by one call.
 */
@Controller()
export class RekeyController {
  constructor(
    @Inject(RegionService) private readonly region: RegionService,
    @Inject(Answers) private readonly answers: Answers,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/rekey',
    summary:
      'New shares (and MasterKey), by a quorum of those of now; they end once these are proved',
    roles: OPERATOR,
    body: rekeying,
    example: { shares: 5, threshold: 3 },
    status: 200,
    answers: stepView,
    command: true,
    refuses: REFUSES,
  })
  async rekey(
    @Body() body: z.infer<typeof rekeying>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ): Promise<Answer> {
    if ('threshold' in body) return this.#begin({ kind: 'rekey', ...body });
    return this.#goOn(body, context, reply);
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/rotate',
    summary:
      'A new key of the barrier, by a quorum of the shares; all is sealed anew beside the work',
    roles: OPERATOR,
    body: rotating,
    example: { begin: true },
    status: 200,
    answers: stepView,
    command: true,
    refuses: REFUSES,
  })
  async rotate(
    @Body() body: z.infer<typeof rotating>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ): Promise<Answer> {
    if ('begin' in body) return this.#begin({ kind: 'rotate' });
    return this.#goOn(body, context, reply);
  }

  async #begin(ask: CeremonyAsk): Promise<Answer> {
    return under(await this.region.beginCeremony(ask));
  }

  async #goOn(
    body: z.infer<typeof providing> | z.infer<typeof cancelling>,
    context: CommandContext,
    reply: FastifyReply,
  ): Promise<Answer> {
    if ('cancel' in body) {
      this.region.cancelCeremony();
      return under(null);
    }
    const { step, handled } = await this.region.provide(body.ceremony, body.share, context);
    if (handled !== null) this.answers.accepted(reply, handled);
    return { ceremony: step.ceremony, shares: step.shares, done: step.record !== null };
  }
}

const under = (ceremony: CeremonyView | null): Answer => ({ ceremony, shares: null, done: false });
