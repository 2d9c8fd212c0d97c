import { Inject, Injectable } from '@nestjs/common';
import { encodeToken, type Handled } from '@kcm/application';
import { Ledger } from '@kcm/ledger';
import type { ReadToken } from '@kcm/read-models';
import type { FastifyReply } from 'fastify';

/** The headers of an accepted command, and the token its read waits for. */
@Injectable()
export class Answers {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** Sets ETag and Kcm-Token. @returns the token, null when nothing was written */
  accepted(reply: FastifyReply, handled: Handled): ReadToken | null {
    if (handled.revision >= 0) void reply.header('ETag', `"${handled.revision}"`);
    if (handled.position === null) return null;
    const token = { ledger: this.ledger.id, position: handled.position };
    void reply.header('Kcm-Token', encodeToken(token));
    return token;
  }
}
