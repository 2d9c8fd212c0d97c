import { applyDecorators, RequestMapping, RequestMethod, SetMetadata } from '@nestjs/common';
import type { Code } from '@kcm/kernel';
import type { ZodType } from 'zod';
import type { Role } from '../auth/principal.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/**
 * What one route takes, answers and who may call it: the guard, validation and OpenAPI read this.
 */
export interface Route {
  readonly method: Method;
  /** With `:tenant` where the tenant stands; a last `:rest` is all segments that are left. */
  readonly path: string;
  readonly summary: string;
  /** 'public': no token. Otherwise any of these roles. */
  readonly roles: 'public' | readonly Role[];
  /** Answers while the region is sealed. */
  readonly whileSealed?: boolean;
  /** Object schemas; strict: unknown members are refused. */
  readonly body?: ZodType;
  readonly query?: ZodType;
  /** Success status and the schema of its body (none: no content). */
  readonly status: number;
  readonly answers?: ZodType;
  /** Media type of the answer when it is not JSON. */
  readonly produces?: string;
  /** A body for who reads the description: one that the schema takes. */
  readonly example?: Readonly<Record<string, unknown>>;
  /** Codes of its own, besides those that every route like it may answer. */
  readonly refuses?: readonly Code[];
  /** Headers that it reads besides those of every command or query. */
  readonly headers?: readonly string[];
  /** Changes something: takes Idempotency-Key and answers Kcm-Token. */
  readonly command?: boolean;
  /** Reduces access: acts though its Idempotency-Key cannot be kept. Repeating it is harmless. */
  readonly actsFirst?: boolean;
  /** A command on the very stream whose revision the resource's GET answers as its ETag. */
  readonly ifMatch?: boolean;
}
export const ROUTE = 'kcm:route';
/** What a path's last `:rest` is called by the router. */
export const REST = '*';

const METHODS = {
  GET: RequestMethod.GET,
  POST: RequestMethod.POST,
  PUT: RequestMethod.PUT,
  DELETE: RequestMethod.DELETE,
} as const;

/** Declares a handler's route. */
export const Endpoint = (route: Route): MethodDecorator =>
  applyDecorators(
    RequestMapping({ path: route.path.replace(/:rest$/, REST), method: METHODS[route.method] }),
    SetMetadata(ROUTE, route),
  );
