import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  type Clock,
  LIMITS,
  type Random,
  rfc3339,
  traceIdOf,
  traceparentOf,
  uuidv4,
} from '@kcm/kernel';
import type { Audit } from './audit.js';
import type { Body, Operations, Request, Trace } from './operations.js';
import { Refusal, REFUSALS } from './refusal.js';

interface Deps {
  readonly operations: Operations;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly random: Random;
}
type Door = 'use' | 'administer';
interface Route {
  readonly door: Door;
  readonly operation: string;
  readonly key: string | null;
}
const ADMIN_VERBS = ['disable', 'enable', 'rotate', 'delete', 'withdraw', 'allow', 'tokens'];

/**
 * HTTP/1.1 with JSON:
 * `GET /v1/keys/{key}` · `POST /v1/keys/{key}/wrap {plaintext, binding}` · `…/unwrap {ciphertext,
 * binding}` under an access token, and for the owner `GET, POST /admin/keys` · `POST
 * /admin/keys/{key}/disable|enable|rotate|delete|withdraw|allow|tokens`. Refusals are `{error, detail}`
 * with a stable code; every answer carries X-Request-Id, and the audit file the same id.
 */
export function createKeystoreServer(deps: Deps): Server {
  const server = createServer(
    { maxHeaderSize: 16 * 1024, requestTimeout: 10_000, headersTimeout: 5_000 },
    (incoming, outgoing) => {
      answer(deps, incoming, outgoing).catch(() => outgoing.destroy());
    },
  );
  server.maxConnections = 256;
  return server;
}

async function answer(deps: Deps, incoming: IncomingMessage, out: ServerResponse): Promise<void> {
  const requestId = uuidv4(deps.random);
  const trace: Trace = { identity: 'unknown', keyId: null, binding: null };
  let route: Route | null = null;
  let status = 200;
  let outcome = 'ok';
  let body: Body;
  try {
    route = routeOf(incoming);
    const request: Request = {
      operation: route.operation,
      key: route.key,
      token: /^Bearer ([\x21-\x7e]+)$/.exec(incoming.headers.authorization ?? '')?.[1] ?? null,
      body: incoming.method === 'POST' ? await readJson(incoming) : {},
    };
    body = await deps.operations[route.door](request, trace);
  } catch (error) {
    const refusal =
      error instanceof Refusal ? error : new Refusal('internal', 'The keystore failed.');
    status = REFUSALS[refusal.code];
    outcome = refusal.code;
    body = { error: refusal.code, detail: refusal.message };
  }
  const callId = String(incoming.headers['x-correlation-id'] ?? '');
  const traceparent = traceparentOf(incoming.headers['traceparent']);
  await deps.audit.write({
    time: rfc3339(deps.clock.wallMs()),
    requestId,
    callId: /^[\x21-\x7e]{1,128}$/.test(callId) ? callId : null,
    traceId: traceparent === undefined ? null : traceIdOf(traceparent),
    identity: trace.identity,
    operation: route === null ? 'none' : operationName(route),
    key: route?.key ?? null,
    keyId: trace.keyId,
    binding: trace.binding,
    outcome,
  });
  const payload = Buffer.from(JSON.stringify(body), 'utf8');
  out.writeHead(status, {
    'content-type': 'application/json',
    'content-length': payload.length,
    'x-request-id': requestId,
    'cache-control': 'no-store',
    ...(incoming.complete ? {} : { connection: 'close' }),
  });
  out.end(payload);
}

const operationName = ({ door, operation }: Route): string =>
  door === 'administer' ? `admin:${operation}` : operation;

/** @throws Refusal no_such_route · bad_request */
function routeOf({ method, url = '/' }: IncomingMessage): Route {
  const [door, noun, ref, verb, ...rest] = url.split('?')[0]!.split('/').slice(1);
  const unknown = new Refusal('no_such_route', 'There is no such route.');
  if (noun !== 'keys' || rest.length > 0) throw unknown;
  const key = ref === undefined ? null : decoded(ref);
  if (door === 'v1' && key !== null) {
    if (method === 'GET' && verb === undefined) return { door: 'use', operation: 'describe', key };
    if (method === 'POST' && (verb === 'wrap' || verb === 'unwrap'))
      return { door: 'use', operation: verb, key };
  }
  if (door === 'admin') {
    if (method === 'GET' && key === null) return { door: 'administer', operation: 'list', key };
    if (method === 'POST' && key === null) return { door: 'administer', operation: 'create', key };
    if (method === 'POST' && verb !== undefined && ADMIN_VERBS.includes(verb))
      return { door: 'administer', operation: verb, key };
  }
  throw unknown;
}

function decoded(part: string): string {
  try {
    const text = decodeURIComponent(part);
    if (/^[\w.-]{1,128}$/.test(text)) return text;
  } catch {
    // Falls through: what cannot be decoded names no key either.
  }
  throw new Refusal('bad_request', 'That is not a key name.');
}

async function readJson(incoming: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMITS.keystoreAnswerBytesMax)
      throw new Refusal('too_large', 'The request is larger than 64 KiB.');
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Body;
  } catch {
    // Falls through: not JSON and not an object are one refusal.
  }
  throw new Refusal('bad_request', 'The body must be a JSON object.');
}
