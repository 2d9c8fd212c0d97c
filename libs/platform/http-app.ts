import { type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Refusals } from '@kcm/application';
import { LIMITS, type Random, uuidv4 } from '@kcm/kernel';
import type { FastifyInstance } from 'fastify';
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { DynamicModule } from '@nestjs/common';
import type { Config } from './config.js';
import { ProblemFilter } from './problem.filter.js';

const CORRELATION_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const REQUEST_MS_MAX = 30_000;

/** Nest's own lines go where ours go. */
export function nestLogger(logger: Logger): LoggerService {
  const line = (level: 'info' | 'error' | 'warn' | 'debug') => (message: unknown) =>
    logger[level]({ from: 'nest' }, String(message));
  return { log: line('debug'), error: line('error'), warn: line('warn'), debug: line('debug') };
}

/** What every request gets before anything else looks at it. */
function openScope(server: FastifyInstance, random: Random, logger: Logger): void {
  server.decorateRequest('kcm');
  server.addHook('onRequest', (request, reply, done) => {
    const given = request.headers['x-correlation-id'];
    const correlationId =
      typeof given === 'string' && CORRELATION_ID.test(given) ? given : uuidv4(random);
    request.kcm = {
      correlationId,
      route: null,
      principal: null,
      body: null,
      query: null,
      token: null,
      command: null,
    };
    void reply.header('X-Correlation-Id', correlationId);
    void reply.header('Cache-Control', 'no-store');
    void reply.header('X-Content-Type-Options', 'nosniff');
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { correlationId, route, principal } = request.kcm;
    logger.info(
      {
        correlationId,
        route: route === null ? null : `${route.method} ${route.path}`,
        actor: principal?.actor,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'http',
    );
    done();
  });
}

/** Empty bodies are as good as `{}`; anything else must be JSON. */
function parseJson(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, {});
    else void parse(request, String(body), done);
  });
}

/** @returns an application that is not listening yet */
export async function createHttpApp(
  module: Type | DynamicModule,
  deps: { config: Config; logger: Logger; random: Random },
): Promise<NestFastifyApplication> {
  const { config, logger, random } = deps;
  const tls =
    config.KCM_TLS_CERT === undefined
      ? {}
      : {
          https: {
            cert: readFileSync(config.KCM_TLS_CERT),
            key: readFileSync(config.KCM_TLS_KEY!),
            minVersion: 'TLSv1.2' as const,
          },
        };
  const adapter = new FastifyAdapter({
    bodyLimit: LIMITS.httpBodyBytesMax,
    requestTimeout: REQUEST_MS_MAX,
    routerOptions: { maxParamLength: 200 },
    forceCloseConnections: 'idle',
    ...tls,
  });
  const server = adapter.getInstance();
  openScope(server, random, logger);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: nestLogger(logger),
    abortOnError: false,
    bodyParser: false,
  });
  parseJson(server);
  app.useGlobalFilters(new ProblemFilter(app.get(Refusals), logger));
  app.enableShutdownHooks([]);
  return app;
}
