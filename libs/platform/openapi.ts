import { z, type ZodType } from 'zod';
import { CODES } from '@kcm/kernel';
import type { Route } from './access.js';

type JsonObject = Record<string, unknown>;

const schemaOf = (schema: ZodType, io: 'input' | 'output'): JsonObject => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
};
const problem: JsonObject = {
  description: 'Refused (RFC 9457)',
  content: {
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  },
};
const components: JsonObject = {
  securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
  schemas: {
    Problem: {
      type: 'object',
      required: ['type', 'title', 'status', 'detail', 'code', 'correlationId'],
      properties: {
        type: { type: 'string' },
        title: { type: 'string' },
        status: { type: 'integer' },
        detail: { type: 'string' },
        code: { type: 'string', enum: [...CODES] },
        correlationId: { type: 'string' },
        errors: {
          type: 'array',
          items: {
            type: 'object',
            required: ['path', 'code', 'detail'],
            properties: {
              path: { type: 'string' },
              code: { type: 'string' },
              detail: { type: 'string' },
            },
          },
        },
        step: { enum: ['network', 'auth', 'not_found', 'policy', 'algorithm', 'state'] },
      },
    },
  },
};
const COMMAND_HEADERS = ['Idempotency-Key', 'X-Correlation-Id', 'traceparent'];
const QUERY_HEADERS = ['Kcm-Token', 'X-Correlation-Id'];

function parametersOf(route: Route): JsonObject[] {
  const path = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const query = route.query ? schemaOf(route.query, 'input') : {};
  const required = new Set((query['required'] as string[] | undefined) ?? []);
  const queries = Object.entries((query['properties'] as JsonObject | undefined) ?? {}).map(
    ([name, schema]) => ({ name, in: 'query', required: required.has(name), schema }),
  );
  const names = route.command ? COMMAND_HEADERS : QUERY_HEADERS;
  const own = [...(route.ifMatch ? ['If-Match'] : []), ...(route.headers ?? [])];
  const headers = [...names, ...own].map((name) => ({
    name,
    in: 'header',
    required: false,
    schema: { type: 'string' },
  }));
  return [...path, ...queries, ...headers];
}

function operationOf(route: Route): JsonObject {
  const media = route.produces ?? 'application/json';
  const answer: JsonObject = {
    description: route.command ? 'Accepted and recorded' : 'The resource',
    ...(route.answers
      ? { content: { [media]: { schema: schemaOf(route.answers, 'output') } } }
      : {}),
  };
  return {
    operationId: `${route.method} ${route.path}`.replaceAll(/[^A-Za-z]+/g, '_').toLowerCase(),
    summary: route.summary,
    ...(route.roles === 'public'
      ? { security: [] }
      : { security: [{ bearer: [] }], 'x-kcm-roles': route.roles }),
    parameters: parametersOf(route),
    ...(route.body && route.method !== 'GET'
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(route.body, 'input') } },
          },
        }
      : {}),
    responses: {
      [route.status]: answer,
      ...(route.command ? { '202': { description: 'Still at work: see Location' } } : {}),
      default: problem,
    },
  };
}

/**
 * OpenAPI 3.1 over the declared routes: what the guard and the validation read is what is shown.
 */
export function openApiOf(routes: readonly Route[], version: string): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[`/${path}`] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'OpenKCM',
      version,
      description: 'A key ledger for SaaS platforms whose customers hold their own keys.',
    },
    paths,
    components,
  };
}
