import type { Command } from 'commander';

export const tenantPath = (tenant: string, ...rest: string[]): string =>
  ['/v1/tenants', encodeURIComponent(tenant), ...rest.map(encodeURIComponent)].join('/');

export const ofTenant = (c: Command): Command => c.requiredOption('--tenant <id>', 'the tenant');
