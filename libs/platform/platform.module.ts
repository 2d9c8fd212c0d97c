import { type DynamicModule, Global, Module } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, DiscoveryModule } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import {
  COMMAND_HANDLERS,
  Commands,
  DECIDER_DEPS,
  type DeciderDeps,
  Queries,
  QUERY_HANDLERS,
  Refusals,
  Reservations,
  Subjects,
  TRACER,
} from '@kcm/application';
import type { Clock, Random, Tracer } from '@kcm/kernel';
import { Answers } from './http/answer.js';
import { AuthGuard } from './auth/auth.guard.js';
import { Authenticator, SealStatus } from './auth/principal.js';
import { CommandInterceptor } from './http/command.interceptor.js';
import { Config } from './config.js';
import { Health } from './health/index.js';
import { Metrics } from './metrics/index.js';
import { PublicController } from './http/public.controller.js';
import { RateLimiter } from './auth/rate-limiter.js';
import { Routes } from './http/routes.js';
import { BOOT, CLOCK, RANDOM, REGION } from './tokens.js';

export interface PlatformDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly tracer: Tracer;
  /** Id of this start of the process. */
  readonly boot: string;
  readonly deciders: DeciderDeps;
  readonly subjects: Subjects;
  readonly reservations: Reservations;
  readonly refusals: Refusals;
  readonly authenticator: Authenticator;
  readonly sealStatus: SealStatus;
  readonly health: Health;
  readonly metrics: Metrics;
}

/** What every Nest application of this product stands on. */
@Global()
@Module({})
export class PlatformModule {
  static register(deps: PlatformDeps): DynamicModule {
    const { KCM_RATE_LIMIT: principal, KCM_RATE_LIMIT_ANONYMOUS: anonymous } = deps.config;
    const limiter = new RateLimiter({ principal, anonymous }, deps.clock);
    const values = [
      { provide: Config, useValue: deps.config },
      { provide: CLOCK, useValue: deps.clock },
      { provide: RANDOM, useValue: deps.random },
      { provide: TRACER, useValue: deps.tracer },
      { provide: REGION, useValue: deps.config.KCM_REGION },
      { provide: BOOT, useValue: deps.boot },
      { provide: DECIDER_DEPS, useValue: deps.deciders },
      { provide: Subjects, useValue: deps.subjects },
      { provide: Reservations, useValue: deps.reservations },
      { provide: Refusals, useValue: deps.refusals },
      { provide: Authenticator, useValue: deps.authenticator },
      { provide: SealStatus, useValue: deps.sealStatus },
      { provide: Health, useValue: deps.health },
      { provide: Metrics, useValue: deps.metrics },
      { provide: RateLimiter, useValue: limiter },
    ];
    return {
      module: PlatformModule,
      imports: [CqrsModule.forRoot(), DiscoveryModule],
      controllers: [PublicController],
      providers: [
        ...values,
        Commands,
        Queries,
        Answers,
        Routes,
        ...COMMAND_HANDLERS,
        ...QUERY_HANDLERS,
        { provide: APP_GUARD, useClass: AuthGuard },
        { provide: APP_INTERCEPTOR, useClass: CommandInterceptor },
      ],
      exports: [...values, Commands, Queries, Answers, Routes],
    };
  }
}
