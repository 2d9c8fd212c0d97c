import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { type CommandContext, decodeToken, Reservations, Subjects } from '@kcm/application';
import {
  commandIdOf,
  type CommandId,
  type Json,
  KcmError,
  LIMITS,
  type Random,
  uuidv4,
} from '@kcm/kernel';
import { Ledger } from '@kcm/ledger';
import type { ReadToken } from '@kcm/read-models';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, type Observable, switchMap } from 'rxjs';
import { z } from 'zod';
import { RANDOM } from '../tokens.js';
import { type Part, validateParts } from './validate.js';

const empty = z.strictObject({});
const key = z
  .string()
  .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
  .max(LIMITS.idempotencyKeyCharsMax)
  .optional();
const etag = z
  .string()
  .regex(/^"\d{1,15}"$/, 'must be an ETag of ours, in quotes')
  .optional();
const withIfMatch = z.object({ 'idempotency-key': key, 'if-match': etag });
const withoutIfMatch = z.object({
  'idempotency-key': key,
  'if-match': z.never('there is no ETag that this command could be held to').optional(),
});
type Head = z.infer<typeof withIfMatch>;

/** Validates what came and, for a command, says who asks for what (CommandContext). */
@Injectable()
export class CommandInterceptor implements NestInterceptor {
  constructor(
    @Inject(Subjects) private readonly subjects: Subjects,
    @Inject(Reservations) private readonly reservations: Reservations,
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(RANDOM) private readonly random: Random,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    void reply.status(request.kcm.route!.status);
    return from(this.prepare(request)).pipe(switchMap(() => next.handle()));
  }

  private async prepare(request: FastifyRequest): Promise<void> {
    const scope = request.kcm;
    const route = scope.route!;
    const parts: Part[] = [
      { prefix: '', schema: route.body ?? empty, value: request.body ?? {} },
      { prefix: 'query', schema: route.query ?? empty, value: request.query },
      {
        prefix: 'header',
        schema: route.ifMatch || !route.command ? withIfMatch : withoutIfMatch,
        value: request.headers,
      },
    ];
    const [body, query, head] = validateParts(parts) as [unknown, unknown, Head];
    scope.body = body;
    scope.query = query;
    const token = request.headers['kcm-token'];
    if (typeof token === 'string') scope.token = await this.known(decodeToken(token));
    if (route.command) scope.command = await this.contextOf(request, head);
  }

  /** What no command answered yet is waited for by nobody. */
  private async known(token: ReadToken): Promise<ReadToken> {
    // Who asks reads what was folded before, also while the ledger cannot be read.
    const head = await this.ledger.head().catch(() => undefined);
    const ahead = head !== undefined && token.position > (head ?? '');
    if (token.ledger !== this.ledger.id || !ahead) return token;
    throw new KcmError('invalid_request', 'No command has answered this Kcm-Token.');
  }

  private async contextOf(request: FastifyRequest, head: Head): Promise<CommandContext> {
    const { principal, correlationId, traceparent } = request.kcm;
    const params = request.params as Record<string, string>;
    const tenant = params['tenant'] ?? principal?.tenant ?? null;
    const key = head['idempotency-key'];
    const path = request.url.split('?', 1)[0]!;
    const commandId =
      key === undefined
        ? (uuidv4(this.random) as CommandId)
        : commandIdOf([tenant, principal?.subject ?? '', request.method, path, key]);
    const fingerprint = await this.subjects.fingerprint(tenant, (request.body ?? {}) as Json);
    if (key !== undefined) {
      const { actsFirst = false } = request.kcm.route!;
      await this.reservations.reserve(commandId, fingerprint).catch((error: unknown) => {
        if (!actsFirst || !isUnavailable(error)) throw error;
      });
    }
    const ifMatch = head['if-match'];
    return {
      commandId,
      fingerprint,
      tenant,
      actor: principal?.actor ?? 'anonymous',
      correlationId,
      causationId: commandId,
      traceparent,
      ...(ifMatch === undefined ? {} : { ifRevision: Number(ifMatch.slice(1, -1)) }),
    };
  }
}

const isUnavailable = (error: unknown): boolean =>
  error instanceof KcmError && error.code === 'ledger_unavailable';
