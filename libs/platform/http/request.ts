import { createParamDecorator, type ExecutionContext, Res } from '@nestjs/common';
import type { CommandContext } from '@kcm/application';
import { type Code, KcmError } from '@kcm/kernel';
import type { ReadToken } from '@kcm/read-models';
import type { FastifyRequest } from 'fastify';
import type { Route } from './access.js';
import type { Principal } from '../auth/principal.js';

/** What the guard and the interceptor found out about one request. */
export interface RequestScope {
  readonly correlationId: string;
  /** The trace that it is part of, with what stands for the request in it. */
  traceparent: string | undefined;
  route: Route | null;
  principal: Principal | null;
  /** Tenant and role fit the route: from here on a refusal is about what was sent. */
  admitted: boolean;
  body: unknown;
  query: unknown;
  token: ReadToken | null;
  command: CommandContext | null;
  /** Why it was refused; null: it was not. */
  refused: Code | null;
}
declare module 'fastify' {
  interface FastifyRequest {
    kcm: RequestScope;
  }
}

const requestOf = (context: ExecutionContext) =>
  context.switchToHttp().getRequest<FastifyRequest>();
const scoped = <T>(pick: (scope: RequestScope) => T) =>
  createParamDecorator((_: unknown, context: ExecutionContext) => pick(requestOf(context).kcm));

/** The validated body of the route's schema. */
export const Body = scoped((scope) => scope.body);
/** The validated query of the route's schema. */
export const QueryInput = scoped((scope) => scope.query);
/** The Kcm-Token that a query sent back, or null. */
export const Token = scoped((scope) => scope.token);
export const Who = scoped((scope) => {
  if (scope.principal === null) throw new KcmError('unauthenticated', 'A bearer token is needed.');
  return scope.principal;
});
/** Present on routes declared `command: true`. */
export const Context = scoped((scope) => {
  if (scope.command === null) throw new Error('the route is not declared a command');
  return scope.command;
});
/**
 * The reply, to set headers and status on; the handler's value is what is sent. (A reply is
 * thenable: as a parameter of our own making Nest would wait for its end.)
 */
export const Reply = (): ParameterDecorator => Res({ passthrough: true });
