import { Controller, Inject } from '@nestjs/common';
import type { CommandContext } from '@kcm/application';
import { KcmError } from '@kcm/kernel';
import { Answers, Body, Config, Context, Endpoint, Reply, VERSION } from '@kcm/platform';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { RegionService } from './region-service.js';
import { newShares, OPERATOR, statusView, threshold } from './seal-schemas.js';

const initialization = threshold(z.strictObject(newShares));
const unsealing = z.union([
  z.strictObject({ share: z.string().min(1).max(1_024) }),
  z.strictObject({ reset: z.literal(true) }),
  /** Asks the keystore that keeps the region, at once. */
  z.strictObject({ keystore: z.literal(true) }),
]);
/** Seal of the region: the only routes that work while it is sealed. */
@Controller()
export class SealController {
  constructor(
    @Inject(RegionService) private readonly region: RegionService,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(Config) private readonly config: Config,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/sys/status',
    summary: 'Initialized, sealed, and how many shares were provided',
    roles: 'public',
    whileSealed: true,
    status: 200,
    answers: statusView,
  })
  status() {
    const status = this.region.status();
    const trialGrade = [
      ...(status.seal === 'auto' ? ['seal: the unseal key lies beside the data'] : []),
      ...(status.seal === 'keystore' && this.config.KCM_SEAL === 'keystore:software'
        ? ['seal: the software keystore keeps its keys unencrypted']
        : []),
    ];
    return { region: this.region.region, version: VERSION, ...status, trialGrade };
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/init',
    summary: 'Initialize the region; the answer is the only time the shares are shown',
    roles: OPERATOR,
    whileSealed: true,
    body: initialization,
    example: { shares: 5, threshold: 3 },
    status: 200,
    answers: z.object({ shares: z.array(z.string()), threshold: z.number().int() }),
    command: true,
    refuses: ['wrong_state', 'already_exists'],
  })
  async init(
    @Body() body: z.infer<typeof initialization>,
    @Context() context: CommandContext,
    @Reply() reply: FastifyReply,
  ) {
    if (this.config.KCM_SEAL === 'auto') {
      throw new KcmError('wrong_state', 'This region seals itself (KCM_SEAL=auto).');
    }
    const seal = this.config.KCM_SEAL === 'shamir' ? 'shamir' : 'keystore';
    const { shares, handled } = await this.region.init({ seal, ...body }, context);
    this.answers.accepted(reply, handled);
    return { shares, threshold: body.threshold };
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/unseal',
    summary: 'Provide one share, let go of those provided, or ask the keystore of the seal',
    roles: OPERATOR,
    whileSealed: true,
    body: unsealing,
    example: { share: 'kcms1-…' },
    status: 200,
    answers: statusView,
    command: true,
    refuses: ['share_refused', 'rate_limited', 'wrong_state'],
  })
  async unseal(@Body() body: z.infer<typeof unsealing>, @Context() context: CommandContext) {
    if ('share' in body) await this.region.unseal(body.share, context);
    else if ('keystore' in body) await this.region.unsealByKeystore(context);
    else await this.region.reset();
    return this.status();
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/seal',
    summary: 'Seal at once: Core forgets every key; leases end by themselves',
    roles: OPERATOR,
    actsFirst: true,
    status: 200,
    answers: statusView,
    command: true,
  })
  async seal(@Context() context: CommandContext) {
    await this.region.seal(context);
    return this.status();
  }
}
