import { Controller, Inject } from '@nestjs/common';
import { type HealthReport, METRICS_TYPE } from '@kcm/kernel';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Endpoint } from './access.js';
import { Health } from '../health/index.js';
import { Metrics } from '../metrics/index.js';
import { openApiOf } from '../openapi/openapi.js';
import { Reply } from './request.js';
import { Routes } from './routes.js';
import { VERSION } from '../version.js';

const health = z.object({
  status: z.enum(['ready', 'degraded', 'unavailable']),
  reasons: z.array(
    z.object({
      dependency: z.string(),
      level: z.enum(['unavailable', 'degraded']),
      code: z.string(),
      detail: z.string(),
      next: z.string(),
    }),
  ),
}) satisfies z.ZodType<HealthReport>;

/** What anybody may ask, sealed or not. */
@Controller()
export class PublicController {
  #document: string | null = null;

  constructor(
    @Inject(Health) private readonly health: Health,
    @Inject(Routes) private readonly routes: Routes,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'livez',
    summary: 'The process answers',
    roles: 'public',
    whileSealed: true,
    status: 200,
    answers: z.object({ status: z.literal('alive') }),
  })
  livez() {
    return { status: 'alive' };
  }

  @Endpoint({
    method: 'GET',
    path: 'readyz',
    summary: 'Whether it can serve: 200 ready or degraded, with reasons; 503 it cannot',
    roles: 'public',
    whileSealed: true,
    status: 200,
    answers: health,
  })
  async readyz(@Reply() reply: FastifyReply) {
    const report = await this.health.report();
    void reply.status(report.status === 'unavailable' ? 503 : 200);
    return report;
  }

  @Endpoint({
    method: 'GET',
    path: 'metrics',
    summary: 'Figures of this process for Prometheus; no label of a caller, no tenant',
    roles: 'public',
    whileSealed: true,
    status: 200,
    answers: z.string(),
    produces: 'text/plain',
  })
  async figures(@Reply() reply: FastifyReply) {
    const text = await this.metrics.text();
    void reply.type(METRICS_TYPE);
    return text;
  }

  @Endpoint({
    method: 'GET',
    path: 'openapi.json',
    summary: 'This description',
    roles: 'public',
    whileSealed: true,
    status: 200,
    answers: z.record(z.string(), z.unknown()),
  })
  openapi(@Reply() reply: FastifyReply) {
    // Made once: some 30 ms of processor time, which anybody could ask for again and again.
    this.#document ??= JSON.stringify(openApiOf(this.routes.all(), VERSION));
    void reply.type('application/json; charset=utf-8');
    return this.#document;
  }
}
