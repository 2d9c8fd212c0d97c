import type { Span, Tracer } from '@kcm/kernel';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Asked every few seconds by machines: no trace begins with them. */
const UNTRACED: readonly (string | undefined)[] = ['/livez', '/readyz', '/metrics'];

/**
 * A span for each request, in the caller's trace where it named one. It is called by the declared
 * route: what the caller wrote is not in it. After the hook that opens the request's scope.
 */
export function traceRequests(server: FastifyInstance, tracer: Tracer): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  server.addHook('onRequest', (request, _reply, done) => {
    const { method, kcm } = request;
    const { url } = request.routeOptions;
    if (UNTRACED.includes(url)) return done();
    const span = tracer.start(
      url === undefined ? method : `${method} ${url}`,
      'server',
      kcm.traceparent,
      {
        'http.request.method': method,
        'http.route': url,
        'kcm.correlation_id': kcm.correlationId,
      },
    );
    kcm.traceparent = span.traceparent;
    spans.set(request, span);
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { refused, admitted } = request.kcm;
    const { tenant } = request.params as { readonly tenant?: string };
    const span = spans.get(request);
    span?.set({
      'http.response.status_code': reply.statusCode,
      // Before it was admitted it is only what the caller wrote.
      'kcm.tenant': admitted ? tenant : undefined,
      'kcm.code': refused ?? undefined,
    });
    span?.end(reply.statusCode >= 500 ? (refused ?? 'internal') : undefined);
    done();
  });
}
