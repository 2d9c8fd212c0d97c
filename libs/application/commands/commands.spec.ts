import type { CommandBus } from '@nestjs/cqrs';
import { defaultPolicy, eventCatalog, tenantDecider } from '@kcm/domain';
import { commandIdOf, streamOf, systemClock } from '@kcm/kernel';
import { InMemoryLedger } from '@kcm/testing';
import type { CommandContext } from './command-context.js';
import { Commands } from './commands.js';
import { runDecider } from './run-decider.js';

const CALLERS = 20;

describe('Commands', () => {
  const stream = streamOf('tenant', 'acme');
  const context = (id: number): CommandContext => ({
    commandId: commandIdOf(id),
    fingerprint: '',
    tenant: 'acme',
    actor: 'core',
    correlationId: 'c',
    causationId: 'c',
  });

  it('any number of callers of one stream at once: each is decided, none conflicts', async () => {
    const deps = {
      ledger: new InMemoryLedger(),
      catalog: eventCatalog,
      clock: systemClock,
      region: 'local',
      fence: () => ({ term: 1, epoch: 0 }),
    };
    const bus = {
      execute: (each: { readonly command: never; readonly context: CommandContext }) =>
        runDecider(deps, tenantDecider, stream, each.command, each.context),
    };
    const commands = new Commands(bus as unknown as CommandBus, deps);
    const policy = defaultPolicy;
    const registration = { kind: 'RegisterTenant', homeRegion: 'local', policy } as const;
    await commands.run('tenant', stream, registration, context(0));
    await commands.run('tenant', stream, { kind: 'ActivateTenant' }, context(1));
    const services = Array.from({ length: CALLERS }, (_, at) => `service-${at}`);
    const asked = services.map((service, at) =>
      commands.run('tenant', stream, { kind: 'MapService', service }, context(2 + at)),
    );
    const refused = commands.run('tenant', stream, registration, context(1_000));
    await expect(refused).rejects.toMatchObject({ code: 'already_exists' });
    const handled = await Promise.all(asked);
    expect(handled.map(({ revision }) => revision)).toEqual(services.map((_, at) => 2 + at));
  });
});
