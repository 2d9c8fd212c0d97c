import { Inject, Injectable } from '@nestjs/common';
import { encodeToken, type Handled } from '@kcm/application';
import type { Revision } from '@kcm/kernel';
import { Ledger } from '@kcm/ledger';
import type { ReadToken } from '@kcm/read-models';
import type { FastifyReply } from 'fastify';

/** The token of an accepted command, which its read waits for. */
@Injectable()
export class Answers {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** Sets Kcm-Token. @returns the token, null when nothing was written */
  accepted(reply: FastifyReply, handled: Handled): ReadToken | null {
    if (handled.position === null) return null;
    const token = { ledger: this.ledger.id, position: handled.position };
    void reply.header('Kcm-Token', encodeToken(token));
    return token;
  }
}

/** Sets the ETag of the resource that is answered: the revision of the stream that it is. */
export function tagged(reply: FastifyReply, revision: Revision): void {
  void reply.header('ETag', `"${revision}"`);
}
