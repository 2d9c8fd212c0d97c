import { KcmError, Sha256 } from '@kcm/kernel';
import scalar from '@scalar/fastify-api-reference';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { sendProblem, toKcmError } from '../http/problem.filter.js';

const PREFIX = '/docs';
/** The script is as large as it is fixed: it changes with a release of ours alone. */
const SCRIPT_SECONDS_MAX = 3_600;

/**
 * Everything that would speak to somebody else is off; the policy below forbids it besides. Styles
 * are made by the script as it runs, so they cannot be named; what they could fetch is forbidden.
 */
const CONFIGURATION = {
  pageTitle: 'OpenKCM HTTP API',
  // Of the page's own server, under whatever prefix a proxy gives it.
  url: '../openapi.json',
  telemetry: false,
  withDefaultFonts: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true, hideAddApi: true },
  mcp: { disabled: true },
  persistAuth: false,
  authentication: { preferredSecurityScheme: 'bearer' },
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
} as const;

/** A script that stands in the page itself, as the policy names it. */
async function hashOf(script: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(script));
  return `'sha256-${Buffer.from(digest).toString('base64')}'`;
}

async function policyFor(page: string): Promise<string> {
  const inline = [...page.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)];
  const hashes = await Promise.all(inline.map(([, text]) => hashOf(text!)));
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

interface Script {
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  readonly tag: string;
}
/** Once for all: an answer of a buffer is no copy of its megabytes, however slowly it is read. */
async function scriptOf(text: string): Promise<Script> {
  const plain = Buffer.from(text);
  const gzipped = await promisify(gzip)(plain);
  return { plain, gzipped, tag: `"${new Sha256().update(text).hex()}"` };
}

const GZIP = /(^|[ ,])gzip( *;|[ ,]|$)(?! *q=0(\.0*)?( *,|$))/;

/** @returns the bytes; null where the caller has them */
function scriptFor({ headers }: FastifyRequest, reply: FastifyReply, script: Script) {
  void reply.header('Cache-Control', `private, max-age=${SCRIPT_SECONDS_MAX}`);
  void reply.header('ETag', script.tag);
  void reply.header('Vary', 'Accept-Encoding');
  if (headers['if-none-match']?.includes(script.tag)) {
    void reply.code(304).removeHeader('Content-Type');
    return null;
  }
  if (!GZIP.test(headers['accept-encoding'] ?? '')) return script.plain;
  void reply.header('Content-Encoding', 'gzip');
  return script.gzipped;
}

/** The page is made for the Host that it was asked of, which may be none. */
function refusalOf(error: unknown): KcmError {
  const known = toKcmError(error);
  if (known !== null) return known;
  return Object(error).code === 'ERR_INVALID_URL'
    ? new KcmError('invalid_request', 'The field Host names no host.')
    : new KcmError('internal', 'Something failed on our side.');
}

/**
 * The reference page at /docs, over /openapi.json: served by us whole, for anybody, sealed or not.
 * @param limit asked first; what it throws is the answer
 */
export async function serveReference(
  server: FastifyInstance,
  limit: (request: FastifyRequest, reply: FastifyReply) => void,
): Promise<void> {
  await server.register(async (scope) => {
    let script: Promise<Script> | null = null;
    scope.setErrorHandler((error, _request, reply) => sendProblem(reply, refusalOf(error)));
    scope.addHook('onRequest', async (request, reply) => limit(request, reply));
    scope.addHook('onSend', async (request, reply, payload) => {
      const type = String(reply.getHeader('content-type'));
      if (type.startsWith('application/javascript')) {
        script ??= scriptOf(String(payload));
        return scriptFor(request, reply, await script);
      } else if (type.startsWith('text/html') && typeof payload === 'string') {
        void reply.header('Content-Security-Policy', await policyFor(payload));
        void reply.header('Referrer-Policy', 'no-referrer');
      }
      return payload;
    });
    await scope.register(scalar, { routePrefix: PREFIX, configuration: CONFIGURATION });
  });
}
