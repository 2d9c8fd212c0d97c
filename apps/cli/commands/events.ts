import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { objectOf, unexpected } from '../answer.js';
import { passes } from '../failures.js';
import { printLine } from '../output.js';
import { declare, type Run } from '../program.js';
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
async function* follow({ client, progress }: Run, { tenant, fromStart, after }: Tail) {
  let last = after ?? null;
  let told = false;
  for (let connected = false; ; await sleep(RETRY_MS)) {
    let why = 'it ended';
    try {
      const from = fromStart && last === null ? { from: 'start' } : {};
      for await (const { id, data } of client.events(tenantPath(tenant, 'events'), from, last)) {
        connected = true;
        told = false;
        last = id;
        if (data !== null) yield objectOf(data) as CloudEvent;
      }
    } catch (error) {
      if (!connected || !passes(error)) throw error;
      why = (error as Error).message.split('\n')[0]!;
    }
    if (!connected) throw unexpected('its event stream ends at once');
    if (!told) progress.note(`The stream is lost (${why}); it is taken up again where it was.`);
    told = true;
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
    async (run, options) => {
      for await (const event of follow(run, options)) {
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
