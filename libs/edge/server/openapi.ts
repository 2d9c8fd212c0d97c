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
/** Of what a version protects that is not the newest. */
const stale = {
  keyVersion: { type: 'integer' },
  stale: { const: true, description: 'A newer version has taken over: store it anew.' },
  rewrapped: { ...base64, description: 'Sealed by the newest version: store it in its place.' },
};
const rewrap = {
  type: 'boolean',
  description: 'Answer `rewrapped` too if it is stale, which may be in vain. Ask if you store it.',
};
const opening = object({ ciphertext: base64, context, rewrap }, ['ciphertext']);
const decrypted = object({ plaintext: base64, ...stale }, ['plaintext']);
const wrapped = object({ wrapped: base64, context }, ['wrapped']);
const unwrapping = object({ wrapped: base64, context, rewrap }, ['wrapped']);
const dataKeyId = { type: 'string', format: 'uuid' };
const expiresAt = {
  type: 'string',
  format: 'date-time',
  description: 'Drop the key by then and unwrap it again: nothing here can take it back.',
};
const made = object(
  {
    id: dataKeyId,
    plaintext: base64,
    wrapped: base64,
    keyVersion: { type: 'integer' },
    grantId: { type: 'string' },
    expiresAt,
  },
  ['id', 'plaintext', 'wrapped', 'keyVersion', 'grantId', 'expiresAt'],
);
const unwrapped = object({ id: dataKeyId, plaintext: base64, expiresAt, ...stale }, [
  'id',
  'plaintext',
  'expiresAt',
]);
const rewrapped = object(
  { wrapped: base64, keyVersion: { type: 'integer' }, grantId: { type: 'string' } },
  ['wrapped', 'keyVersion', 'grantId'],
);
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
    [`${T}/decrypt`]: post('Decrypt', opening, decrypted),
    [`${T}/rewrap`]: post('A record under the newest version, shown to nobody', cipher, encrypted),
    [`${T}/encrypt-batch`]: post(
      'Encrypt in order',
      items(plain),
      items({ anyOf: [encrypted, failed] }),
    ),
    [`${T}/decrypt-batch`]: post(
      'Decrypt in order',
      items(opening),
      items({ anyOf: [decrypted, failed] }),
    ),
    [`${T}/rewrap-batch`]: post(
      'Rewrap in order',
      items(cipher),
      items({ anyOf: [encrypted, failed] }),
    ),
    [`${T}/data-keys`]: post(
      'A new data key for the caller; the tenant’s policy must allow it',
      object({ context }, []),
      made,
    ),
    [`${T}/data-keys/unwrap`]: post(
      'A wrapped data key in the clear; the tenant’s policy must allow it',
      unwrapping,
      unwrapped,
    ),
    [`${T}/data-keys/rewrap`]: post(
      'A wrapped data key under the newest version, shown to nobody',
      wrapped,
      rewrapped,
    ),
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
