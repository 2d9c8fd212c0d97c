import { Inject, Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { ROUTE, type Route } from './access.js';

/** Every declared route of the running application: for OpenAPI and for the tests of the guard. */
@Injectable()
export class Routes {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  all(): readonly Route[] {
    return this.discovery.getControllers().flatMap(({ instance }) => {
      if (!instance) return [];
      const prototype = Object.getPrototypeOf(instance) as Record<string, () => unknown>;
      return this.scanner
        .getAllMethodNames(prototype)
        .map((name) => this.reflector.get<Route | undefined>(ROUTE, prototype[name]!))
        .filter((route) => route !== undefined);
    });
  }
}
