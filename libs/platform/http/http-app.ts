import type { DynamicModule, LoggerService, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Refusals } from '@kcm/application';
import {
  type Clock,
  type Code,
  correlationIdOf,
  KcmError,
  LIMITS,
  type Random,
  Seldom,
  readTextFile,
  traceparentOf,
  type Tracer,
  uuidv4,
} from '@kcm/kernel';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { ClientErrors } from './client-errors.js';
import { RateLimiter } from '../auth/rate-limiter.js';
import type { Config } from '../config.js';
import { traceRequests } from './http-trace.js';
import { limitConnections } from './connections.js';
import { correlated } from './correlation.js';
import { acceptJsonAlone } from './json-body.js';
import { Methods } from './methods.js';
import { among } from './network.js';
import type { Answered } from '../metrics/index.js';
import { ProblemFilter, sendProblem, toKcmError } from './problem.filter.js';
import { problemStatusOf } from './problem.js';
import type { RequestScope } from './request.js';
import { Routes } from './routes.js';

/** Node looks every so often. */
const SLOW = { headersTimeout: LIMITS.httpHeadersMsMax, connectionsCheckingInterval: 1_000 };
/** A request that is still arriving holds up a stop for so long. */
const STOP_GRACE_MS = 2_000;

/** Nest's own lines go where ours go. */
export function nestLogger(logger: Logger): LoggerService {
  const line = (level: 'info' | 'error' | 'warn' | 'debug') => (message: unknown) =>
    logger[level]({ from: 'nest' }, String(message));
  return { log: line('debug'), error: line('error'), warn: line('warn'), debug: line('debug') };
}

/** The caller's own correlation id where it can be one, else a new one; nothing is known else. */
function scopeOf({ headers }: FastifyRequest, random: Random): RequestScope {
  const traceparent = traceparentOf(headers['traceparent']);
  const correlationId = correlationIdOf(headers['x-correlation-id']) ?? uuidv4(random);
  const none = { route: null, principal: null, body: null, query: null, token: null };
  return { correlationId, traceparent, ...none, admitted: false, command: null, refused: null };
}

/** What every request gets before anything else looks at it. */
function openScope(request: FastifyRequest, reply: FastifyReply, random: Random): void {
  request.kcm = scopeOf(request, random);
  void reply.header('X-Correlation-Id', request.kcm.correlationId);
  void reply.header('Cache-Control', 'no-store');
  void reply.header('X-Content-Type-Options', 'nosniff');
}

/** What is counted of each answer. Must not throw. */
type OnAnswered = (answered: Answered) => void;

/** What it throws is the answer. */
type Limit = (request: FastifyRequest, reply: FastifyReply) => void;
/** Strangers that ask too often are in the log so often. */
const STRANGERS_TOLD_MS = 10_000;

interface HttpDeps {
  readonly config: Config;
  readonly logger: Logger;
  readonly random: Random;
  readonly clock: Clock;
  readonly tracer: Tracer;
  readonly onAnswered: OnAnswered;
  /** As of when reads are; null: now. Must not throw. */
  readonly asOf: () => Promise<string | null>;
}

function tooManyOf(limit: Limit, request: FastifyRequest, reply: FastifyReply): KcmError | null {
  try {
    limit(request, reply);
    return null;
  } catch (error) {
    if (error instanceof KcmError) return error;
    throw error;
  }
}

function observe(
  server: FastifyInstance,
  deps: Pick<HttpDeps, 'random' | 'logger' | 'onAnswered' | 'clock' | 'asOf'>,
  limit: Limit,
): void {
  const { random, logger, onAnswered, clock, asOf } = deps;
  const strangers = new Seldom(clock, STRANGERS_TOLD_MS);
  server.decorateRequest('kcm');
  server.addHook('onRequest', (request, reply, done) => {
    openScope(request, reply, random);
    // What no route serves meets no guard.
    const tooMany = request.is404 ? tooManyOf(limit, request, reply) : null;
    if (tooMany === null) done();
    else sendProblem(reply, tooMany);
  });
  server.addHook('onSend', async (request, reply, payload) => {
    const read = request.method === 'GET' && request.kcm.principal !== null;
    const old = read ? await asOf() : null;
    if (old !== null) void reply.header('Kcm-As-Of', old);
    return payload;
  });
  // Behind the body, whose reading loses what was there before it.
  server.addHook('preValidation', (request, _reply, done) => {
    correlated(request.kcm.correlationId, done);
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { correlationId, route: declared, principal, refused: code } = request.kcm;
    // The declared path: what the caller sent is in no line and in no label.
    const { url } = request.routeOptions;
    const route = url === undefined ? null : `${request.method} ${url}`;
    const { statusCode: status, elapsedTime: ms } = reply;
    const actor = principal?.actor;
    const line = { correlationId, route, actor, status, code, ms: Math.round(ms) };
    if (principal !== null || code !== 'rate_limited') logger.info(line, 'http');
    else {
      const untold = strangers.tell('rate_limited');
      if (untold !== null) logger.info({ ...line, untold }, 'http');
    }
    const endless = declared?.produces === 'text/event-stream';
    onAnswered({ route, status, code, seconds: ms / 1000, endless });
    done();
  });
}

const unreadable = () => new KcmError('invalid_request', 'The request cannot be read.');

/** Which methods a path serves; looked up when somebody asks: routes stand once all is composed. */
function methodsOf(app: NestFastifyApplication): (url: string) => string | null {
  let methods: Methods | null = null;
  return (url) => (methods ??= new Methods(app.get(Routes).all())).of(url);
}

/** @returns an application that is not listening yet */
export async function createHttpApp(
  module: Type | DynamicModule,
  deps: HttpDeps,
): Promise<NestFastifyApplication> {
  const { config, logger, random, tracer, onAnswered } = deps;
  const tls =
    config.KCM_TLS_CERT === undefined
      ? { http: SLOW }
      : {
          https: {
            ...SLOW,
            cert: readTextFile(config.KCM_TLS_CERT),
            key: readTextFile(config.KCM_TLS_KEY!),
            minVersion: 'TLSv1.2' as const,
          },
        };
  const limit: Limit = ({ ip }, reply) => app.get(RateLimiter).anonymous(ip, reply);
  const clientErrors = new ClientErrors();
  const proxies = among(config.KCM_TRUSTED_PROXIES);
  /** Of what never becomes a request with a response that could be observed. */
  const tellRefused = (correlationId: string, code: Code): void => {
    const status = problemStatusOf(code, null);
    logger.info({ correlationId, route: null, status, code, ms: 0 }, 'http');
    onAnswered({ route: null, status, code, seconds: 0, endless: true });
  };
  const adapter = new FastifyAdapter({
    bodyLimit: LIMITS.httpBodyBytesMax,
    requestTimeout: LIMITS.httpRequestMsMax,
    connectionTimeout: LIMITS.httpSilenceMsMax,
    routerOptions: { maxParamLength: 200 },
    forceCloseConnections: 'idle',
    // Of `X-Forwarded-For` the last hop that is none of them: what stands before it anybody wrote.
    trustProxy: (address) => proxies(address),
    // A path that cannot be decoded or is too long is refused before any hook or route.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      openScope(request, reply, random);
      const refusal = tooManyOf(limit, request, reply) ?? toKcmError(error) ?? unreadable();
      sendProblem(reply, refusal);
      tellRefused(request.kcm.correlationId, refusal.code);
    },
    clientErrorHandler: (error, socket) => {
      const correlationId = uuidv4(random);
      const code = clientErrors.refuse(error, socket, correlationId);
      if (code !== null) tellRefused(correlationId, code);
    },
    ...tls,
  });
  const server = adapter.getInstance();
  clientErrors.watch(server.server);
  limitConnections(server.server, { many: proxies });
  // What is expected and unknown to us may be passed over (RFC 9110 §10.1.1).
  server.server.on('checkExpectation', (request, response) =>
    server.server.emit('request', request, response),
  );
  observe(server, deps, limit);
  if (tracer.on) traceRequests(server, tracer);
  acceptJsonAlone(server);
  // Only here: what serves no HTTP of ours does without its megabytes.
  const { serveReference } = await import('../openapi/reference.js');
  await serveReference(server, limit);
  server.addHook('preClose', (done) => {
    setTimeout(() => server.server.closeAllConnections(), STOP_GRACE_MS).unref();
    done();
  });
  const app: NestFastifyApplication = await NestFactory.create<NestFastifyApplication>(
    module,
    adapter,
    {
      logger: nestLogger(logger),
      abortOnError: false,
      bodyParser: false,
    },
  );
  app.useGlobalFilters(new ProblemFilter(app.get(Refusals), logger, methodsOf(app)));
  return app;
}
