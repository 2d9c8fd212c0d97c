import { CODES, LIMITS, TENANT_ID } from '@kcm/kernel';

type Json = Readonly<Record<string, unknown>>;

const base64 = { type: 'string', contentEncoding: 'base64' };
const context = {
  type: 'object',
  additionalProperties: { type: 'string' },
  description: `Bound to the ciphertext, not stored in it; at most ${LIMITS.edgeContextBytesMax} bytes.`,
};
const object = (properties: Json, required: readonly string[]): Json => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});
const plain = object({ plaintext: base64, context }, ['plaintext']);
const cipher = object({ ciphertext: base64, context }, ['ciphertext']);
const encrypted = object(
  { ciphertext: base64, keyVersion: { type: 'integer' }, grantId: { type: 'string' } },
  ['ciphertext', 'keyVersion', 'grantId'],
);
const decrypted = object({ plaintext: base64 }, ['plaintext']);
const code = { type: 'string', enum: CODES };
const failed = object(
  { error: object({ code, detail: { type: 'string' }, errors: {} }, ['code', 'detail']) },
  ['error'],
);
const items = (item: unknown): Json =>
  object(
    { items: { type: 'array', minItems: 1, maxItems: LIMITS.edgeBatchItemsMax, items: item } },
    ['items'],
  );
const reason = object(
  {
    dependency: { type: 'string' },
    level: { enum: ['unavailable', 'degraded'] },
    code: { type: 'string' },
    detail: { type: 'string' },
    next: { type: 'string' },
  },
  ['dependency', 'level', 'code', 'detail', 'next'],
);
const ready = object(
  {
    status: { enum: ['ready', 'degraded', 'unavailable'] },
    reasons: { type: 'array', items: reason },
  },
  ['status', 'reasons'],
);
const problem = object(
  {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code,
    correlationId: { type: 'string' },
    errors: {},
    step: { type: 'string' },
  },
  ['type', 'title', 'status', 'detail', 'code', 'correlationId'],
);
const refused: Json = {
  description: 'Refused (RFC 9457)',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};
const json = (schema: unknown, description = 'Done'): Json => ({
  description,
  content: { 'application/json': { schema } },
});

const read = (summary: string, answers: Json): Json => ({
  get: { summary, responses: { ...answers, default: refused } },
});
const tenant = {
  name: 'tenant',
  in: 'path',
  required: true,
  schema: { type: 'string', pattern: TENANT_ID.source },
};
const post = (summary: string, takes: Json, answers: Json): Json => ({
  parameters: [tenant],
  post: {
    summary,
    requestBody: { required: true, content: { 'application/json': { schema: takes } } },
    responses: { 200: json(answers), default: refused },
  },
});
const refusedAlways = (summary: string): Json => ({
  parameters: [tenant],
  post: { summary, responses: { default: refused } },
});

const T = '/v1/tenants/{tenant}';
const DESCRIPTION: Json = {
  openapi: '3.1.0',
  info: {
    title: 'OpenKCM Edge',
    version: '1',
    description: 'Encrypts and decrypts for the workloads of one service, over its Unix socket.',
  },
  servers: [{ url: 'http://edge', description: 'the Unix socket of the service; any host name' }],
  paths: {
    [`${T}/encrypt`]: post('Encrypt', plain, encrypted),
    [`${T}/decrypt`]: post('Decrypt', cipher, decrypted),
    [`${T}/encrypt-batch`]: post(
      'Encrypt in order',
      items(plain),
      items({ anyOf: [encrypted, failed] }),
    ),
    [`${T}/decrypt-batch`]: post(
      'Decrypt in order',
      items(cipher),
      items({ anyOf: [decrypted, failed] }),
    ),
    [`${T}/data-keys`]: refusedAlways('A data key for the caller: not allowed in this version'),
    [`${T}/data-keys/unwrap`]: refusedAlways('Not allowed in this version'),
    [`${T}/data-keys/rewrap`]: refusedAlways('Not allowed in this version'),
    '/v1/status': read('Leases of this service, counters', { 200: json({ type: 'object' }) }),
    '/livez': read('The process answers', { 200: json({ type: 'object' }) }),
    '/readyz': read('Whether it serves, with reasons', {
      200: json(ready, 'Ready or degraded'),
      503: json(ready, 'Unavailable'),
    }),
    '/metrics': read('Figures for Prometheus', {
      200: {
        description: 'Text format 0.0.4',
        content: { 'text/plain': { schema: { type: 'string' } } },
      },
    }),
    '/openapi.json': read('This description', { 200: json({ type: 'object' }) }),
  },
  components: { schemas: { Problem: problem } },
};

/** OpenAPI 3.1 of one service's socket. */
export const OPENAPI_TEXT = JSON.stringify(DESCRIPTION);
