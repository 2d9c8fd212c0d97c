import { Controller, Inject } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Endpoint } from './access.js';
import { Health } from './health.js';
import { openApiOf } from './openapi.js';
import { Reply } from './request.js';
import { Routes } from './routes.js';
import { VERSION } from './version.js';

const health = z.object({
  status: z.enum(['ready', 'degraded', 'unavailable']),
  reasons: z.array(z.object({ part: z.string(), detail: z.string() })),
});

/** What anybody may ask, sealed or not. */
@Controller()
export class PublicController {
  constructor(
    @Inject(Health) private readonly health: Health,
    @Inject(Routes) private readonly routes: Routes,
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
  readyz(@Reply() reply: FastifyReply) {
    const report = this.health.report();
    void reply.status(report.status === 'unavailable' ? 503 : 200);
    return report;
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
  openapi() {
    return openApiOf(this.routes.all(), VERSION);
  }
}
