import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { Refusals } from '@kcm/application';
import { type Code, KcmError } from '@kcm/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { PROBLEM_TYPE, problemOf } from './problem.js';

/** What Fastify refuses before a handler is reached, by its error code. */
const FASTIFY: { readonly [code: string]: [Code, string] } = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'The body is over 1 MiB.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send application/json.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'Content-Length does not fit the body.'],
  FST_ERR_NOT_FOUND: ['not_found', 'There is no such resource.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'There is no such resource.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The path cannot be decoded.'],
};
const BY_STATUS: { readonly [status: number]: [Code, string] } = {
  400: ['invalid_request', 'The request cannot be read.'],
  404: ['not_found', 'There is no such resource.'],
  405: ['method_not_allowed', 'This method is not served here.'],
  413: ['payload_too_large', 'The body is over 1 MiB.'],
  415: ['unsupported_media_type', 'Send application/json.'],
};

export function toKcmError(error: unknown): KcmError | null {
  if (error instanceof KcmError) return error;
  // Anything can be thrown, nothing at all included.
  const { code, statusCode } = Object(error) as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? FASTIFY[code] : undefined;
  if (known) return new KcmError(...known);
  const status = error instanceof HttpException ? error.getStatus() : statusCode;
  const mapped = typeof status === 'number' ? BY_STATUS[status] : undefined;
  return mapped ? new KcmError(...mapped) : null;
}

export function sendProblem(reply: FastifyReply, error: KcmError): void {
  const scope = reply.request.kcm;
  const problem = problemOf(error, scope.correlationId);
  scope.refused = error.code;
  if (error.code === 'unauthenticated') void reply.header('WWW-Authenticate', 'Bearer');
  if (error.retryAfterSeconds !== null) {
    void reply.header('Retry-After', String(error.retryAfterSeconds));
  }
  void reply.status(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

const READS: readonly string[] = ['GET', 'HEAD'];

/**
 * Commands, those whose body could not be read included; and whoever asks for what is not theirs.
 */
function isRecorded({ method, routeOptions, kcm }: FastifyRequest): boolean {
  if (routeOptions.url === undefined) return false;
  return !READS.includes(method) || (kcm.principal !== null && !kcm.admitted);
}

/** Every refusal leaves as problem+json; it is recorded before it is answered, if the ledger can. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly refusals: Refusals,
    private readonly logger: Logger,
    /** The methods that a path serves, as `Allow` lists them; null: no such path. */
    private readonly methodsOf: (url: string) => string | null,
  ) {}

  async catch(raised: unknown, host: ArgumentsHost): Promise<void> {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    await this.answer(raised, request, reply);
  }

  /** A path that serves other methods is there. */
  private known(raised: unknown, request: FastifyRequest, reply: FastifyReply): KcmError | null {
    const error = toKcmError(raised);
    if (error?.code !== 'not_found' || request.routeOptions.url !== undefined) return error;
    const allow = this.methodsOf(request.url);
    if (allow === null) return error;
    void reply.header('Allow', allow);
    return new KcmError('method_not_allowed', `This path serves ${allow}.`);
  }

  async answer(raised: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { correlationId, principal } = request.kcm;
    const known = this.known(raised, request, reply);
    const error = known ?? new KcmError('internal', 'Something failed on our side.');
    if (known === null) this.logger.error({ err: raised, correlationId }, 'unexpected failure');
    // A ledger that has just refused a command would refuse its refusal too, and hold it up.
    if (isRecorded(request) && error.code !== 'ledger_unavailable') {
      await this.refusals.record({
        actor: principal?.actor ?? 'anonymous',
        tenant: principal?.tenant ?? null,
        code: error.code,
        action: `${request.method} ${request.routeOptions.url}`,
        resource: request.url.split('?', 1)[0]!.slice(0, 512),
        correlationId,
      });
    }
    sendProblem(reply, error);
  }
}
