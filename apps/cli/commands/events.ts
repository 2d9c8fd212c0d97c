import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client.js';
import { passes } from '../failures.js';
import { printLine } from '../output.js';
import { declare } from '../program.js';
import { ofTenant, tenantPath } from '../tenant-words.js';

interface Tail {
  readonly tenant: string;
  readonly fromStart?: boolean;
  readonly after?: string;
  readonly json: boolean;
  readonly quiet: boolean;
}
interface CloudEvent {
  readonly time: string;
  readonly type: string;
  readonly subject: string;
  readonly data: object;
}
const RETRY_MS = 500;

/** Every event once, from a connection to the next; only the first must come about. */
async function* follow(client: Client, { tenant, fromStart, after }: Tail) {
  let last = after ?? null;
  for (let connected = false; ; await sleep(RETRY_MS)) {
    try {
      const from = fromStart && last === null ? { from: 'start' } : {};
      for await (const { id, data } of client.events(tenantPath(tenant, 'events'), from, last)) {
        connected = true;
        last = id;
        if (data !== null) yield JSON.parse(data) as CloudEvent;
      }
    } catch (error) {
      if (!connected || !passes(error)) throw error;
    }
  }
}

export function eventCommands(program: Command): void {
  const events = program.command('events').description('The events of a tenant, as CloudEvents');
  declare<Tail>(
    events,
    'tail',
    {
      summary: 'Each event as it happens, until interrupted; a lost connection loses none',
      example: 'events tail --tenant acme',
    },
    (c) =>
      ofTenant(c)
        .option('--from-start', "from the tenant's first event on")
        .option('--after <id>', 'from this event on, without it'),
    async ({ client }, options) => {
      for await (const event of follow(client, options)) {
        const { time, type, subject, data } = event;
        printLine(event, `${time}  ${type}  ${subject}  ${JSON.stringify(data)}`, options);
      }
    },
  );
  declare<{ tenant: string }>(
    events,
    'show <id>',
    { summary: 'One event', example: 'events show … --tenant acme' },
    ofTenant,
    ({ client }, { tenant }, id) => client.get(tenantPath(tenant, 'events', id)),
  );
}
