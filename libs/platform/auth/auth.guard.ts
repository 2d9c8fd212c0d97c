import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Subjects } from '@kcm/application';
import { type Clock, KcmError } from '@kcm/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { REST, ROUTE, type Route } from '../http/access.js';
import { CLOCK } from '../tokens.js';
import { Authenticator, isPlatformRole, type Principal, SealStatus } from './principal.js';
import { RateLimiter } from './rate-limiter.js';
import { RefusedTokens } from './refused-tokens.js';

const ID = /^[A-Za-z0-9_-]{1,80}$/;
/** Segments of a path; none is empty or begins with a dot. */
const SEGMENTS = /^(?=.{1,80}$)[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/;
/** Who watches is not shut out by who floods from the same address. */
export const UNLIMITED: ReadonlySet<string> = new Set(['livez', 'readyz']);
/** They too may be asked often, but not by way of what else comes from there. */
const OWN_SHARE: ReadonlySet<string> = new Set(['metrics', 'v1/sys/status']);
const NOT_FOUND = 'There is no such resource.';

function bearerOf(request: FastifyRequest): string | null {
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/i.exec(request.headers.authorization ?? '');
  return match?.[1] ?? null;
}

/**
 * The one place that says who may. Order: sealed, token, rate, tenant, role: another tenant's id is
 * not_found whatever the role, exactly as one that does not exist.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  readonly #refused: RefusedTokens;

  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(SealStatus) private readonly seal: SealStatus,
    @Inject(RateLimiter) private readonly limiter: RateLimiter,
    @Inject(Subjects) private readonly subjects: Pick<Subjects, 'remember'>,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.#refused = new RefusedTokens(() => clock.monotonicMs());
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const route = this.reflector.get<Route | undefined>(ROUTE, context.getHandler());
    if (route === undefined) throw new Error('a handler without @Endpoint');
    request.kcm.route = route;
    if (!route.whileSealed && this.seal.sealed()) {
      throw new KcmError('sealed', 'The region is sealed: an operator must unseal it first.');
    }
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    if (route.roles === 'public') {
      if (UNLIMITED.has(route.path)) return true;
      const share = OWN_SHARE.has(route.path) ? route.path : '';
      this.limiter.anonymous(request.ip, reply, share);
      return true;
    }
    const principal = await this.principalOf(request, reply);
    await this.remember(principal, reply);
    request.kcm.principal = principal;
    this.limiter.principal(principal.tenant, principal.actor, reply);
    const params = request.params as Record<string, string>;
    authorize(principal, route, params['tenant'] ?? null);
    request.kcm.admitted = true;
    // What cannot be an id names nothing.
    const named = ([name, param]: [string, string]) => (name === REST ? SEGMENTS : ID).test(param);
    if (!Object.entries(params).every(named)) {
      throw new KcmError('not_found', NOT_FOUND);
    }
    return true;
  }

  /** Of whom the limit keeps out nothing is kept, and no record names. */
  private async remember(who: Principal, reply: FastifyReply): Promise<void> {
    const { tenant, subject, actor } = who;
    if (actor === subject) return;
    const admit = () => this.limiter.newcomer(tenant, reply);
    await this.subjects.remember(tenant, subject, actor, admit);
  }

  private async principalOf(request: FastifyRequest, reply: FastifyReply): Promise<Principal> {
    const bearer = bearerOf(request);
    const again = bearer === null || this.#refused.has(bearer);
    // Before the work that the limit is to save; a token not seen yet may be somebody's.
    if (again) this.limiter.anonymous(request.ip, reply);
    const principal = bearer === null ? null : await this.authenticator.authenticate(bearer);
    if (principal !== null) return principal;
    if (bearer !== null) this.#refused.add(bearer);
    if (!again) this.limiter.anonymous(request.ip, reply);
    throw new KcmError('unauthenticated', 'A valid bearer token is needed.');
  }
}

/** @throws not_found for another tenant's path · forbidden for a missing role */
export function authorize(principal: Principal, route: Route, tenant: string | null): void {
  if (tenant !== null && principal.tenant !== null && principal.tenant !== tenant) {
    throw new KcmError('not_found', NOT_FOUND);
  }
  const roles = route.roles === 'public' ? [] : route.roles;
  // A role speaks for its own kind of principal only: a tenant's token never holds a platform role.
  const mayHold = roles.filter((role) => isPlatformRole(role) === (principal.tenant === null));
  if (!mayHold.some((role) => principal.roles.has(role))) {
    throw new KcmError('forbidden', `This needs one of the roles: ${roles.join(', ')}.`);
  }
}
