import { z, type ZodType } from 'zod';
import { CODES } from '@kcm/kernel';
import type { Route } from '../http/access.js';
import { headingOf, headings, orderOf } from './openapi-headings.js';
import { otherProblem, refusedResponses } from './openapi-refusals.js';

type JsonObject = Record<string, unknown>;

/** That a number is one that JavaScript counts with says nothing about the field. */
const withoutSafeBounds = (key: string, value: unknown): unknown =>
  (key === 'minimum' && value === Number.MIN_SAFE_INTEGER) ||
  (key === 'maximum' && value === Number.MAX_SAFE_INTEGER)
    ? undefined
    : value;

/**
 * In place, so that every reference of the document is one into its components: a schema of its own
 * would look for `$defs` at the top. `z.json()` alone brings one.
 */
function schemaOf(schema: ZodType, io: 'input' | 'output'): JsonObject {
  const options = { io, unrepresentable: 'any' } as const;
  const { $schema: _, $defs: _json, ...rest } = z.toJSONSchema(schema, options);
  const text = JSON.stringify(rest).replaceAll('#/$defs/__schema0', '#/components/schemas/Json');
  return JSON.parse(text, withoutSafeBounds) as JsonObject;
}
const components: JsonObject = {
  securitySchemes: {
    bearer: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description:
        'A token of the local issuer (`kcm token create`) or of an OIDC issuer, with the claims ' +
        '`sub`, `tenant` and `roles`; or the operator token of the data folder.',
    },
  },
  schemas: {
    Json: { description: 'Any JSON value' },
    Problem: {
      description: 'RFC 9457; `code` is what a program reads, `detail` is for people.',
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
/** What each is for. */
const HEADERS: { readonly [name: string]: string } = {
  'Idempotency-Key': 'the same key with the same body is done once; printable ASCII, up to 255',
  'X-Correlation-Id': 'yours, found again in the audit trail; left out, the answer names a new one',
  traceparent: 'W3C Trace Context',
  'Kcm-Token': 'of an earlier answer: waits up to 2 s until the read model has got there',
  'If-Match': 'the ETag that the resource was read with',
  'Last-Event-ID': 'goes on exactly after this event',
};

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
    ...(HEADERS[name] === undefined ? {} : { description: HEADERS[name] }),
    schema: { type: 'string' },
  }));
  return [...path, ...queries, ...headers];
}

/** Who may call it and when, in words: the reference shows no extensions. */
function aboutOf(route: Route): string {
  const who =
    route.roles === 'public'
      ? 'Anybody may ask; no token is needed.'
      : `For: ${route.roles.map((role) => `\`${role}\``).join(', ')}.`;
  return route.whileSealed ? `${who} Answers while the region is sealed.` : who;
}

function requestBodyOf(route: Route): JsonObject {
  if (route.body === undefined || route.method === 'GET') return {};
  const schema = schemaOf(route.body, 'input');
  const example = route.example === undefined ? {} : { example: route.example };
  return {
    requestBody: { required: true, content: { 'application/json': { schema, ...example } } },
  };
}

function responsesOf(route: Route): JsonObject {
  const media = route.produces ?? 'application/json';
  const answer: JsonObject = {
    description: route.command ? 'Accepted and recorded' : 'The resource',
    ...(route.answers
      ? { content: { [media]: { schema: schemaOf(route.answers, 'output') } } }
      : {}),
  };
  return {
    [route.status]: answer,
    ...(route.command ? { '202': { description: 'Still at work: see `Location`' } } : {}),
    ...refusedResponses(route),
    default: otherProblem,
  };
}

function operationOf(route: Route): JsonObject {
  return {
    operationId: `${route.method} ${route.path}`.replaceAll(/[^A-Za-z]+/g, '_').toLowerCase(),
    tags: [headingOf(route.path)],
    summary: route.summary,
    description: aboutOf(route),
    ...(route.roles === 'public'
      ? { security: [] }
      : { security: [{ bearer: [] }], 'x-kcm-roles': route.roles }),
    parameters: parametersOf(route),
    ...requestBodyOf(route),
    responses: responsesOf(route),
  };
}

const DESCRIPTION = `A key ledger for SaaS platforms whose customers hold their own keys.

- **Who**: \`Authorization: Bearer\`. The tenant is checked before the role: what belongs to another
  tenant is 404.
- **Commands** take \`Idempotency-Key\`; they answer the resource, its \`ETag\` where it has one,
  and \`Kcm-Token\`. A query that sends \`Kcm-Token\` back reads what the command wrote.
- **What takes long** waits up to 10 s (\`Prefer: wait=N\`), then answers 202 with the \`Location\`
  of an operation.
- **Lists**: \`?limit=\` and \`?cursor=\`; \`nextCursor\` is null on the last page.
- **Refusals** are \`application/problem+json\` (RFC 9457); \`code\` is what a program reads.
- Times are RFC 3339 in UTC; units stand in names; bytes are base64.
`;

/**
 * OpenAPI 3.1 over the declared routes: what the guard and the validation read is what is shown.
 */
export function openApiOf(routes: readonly Route[], version: string): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const route of routes.toSorted((a, b) => orderOf(a.path) - orderOf(b.path))) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[`/${path}`] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'OpenKCM', version, description: DESCRIPTION },
    servers: [{ url: '/' }],
    tags: headings,
    security: [{ bearer: [] }],
    paths,
    components,
  };
}
