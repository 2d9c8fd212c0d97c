import scalar from '@scalar/fastify-api-reference';
import type { FastifyInstance } from 'fastify';

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

/**
 * The reference page at /docs, over /openapi.json: served by us whole, for anybody, sealed or not.
 */
export async function serveReference(server: FastifyInstance): Promise<void> {
  await server.register(async (scope) => {
    scope.addHook('onSend', async (_request, reply, payload) => {
      const type = String(reply.getHeader('content-type'));
      if (type.startsWith('application/javascript')) {
        void reply.header('Cache-Control', `private, max-age=${SCRIPT_SECONDS_MAX}`);
      } else if (type.startsWith('text/html') && typeof payload === 'string') {
        void reply.header('Content-Security-Policy', await policyFor(payload));
        void reply.header('Referrer-Policy', 'no-referrer');
      }
      return payload;
    });
    await scope.register(scalar, { routePrefix: PREFIX, configuration: CONFIGURATION });
  });
}
