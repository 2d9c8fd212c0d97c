import {
  type CommandContext,
  eventLine,
  type Exported,
  runDecider,
  stateOf,
} from '@kcm/application';
import { accessDecider, eventCatalog } from '@kcm/domain';
import {
  type Clock,
  commandIdOf,
  LIMITS,
  type NewEvent,
  oneOrMore,
  type RecordedEvent,
  streamOf,
} from '@kcm/kernel';
import { type Ledger, LedgerConflict, LedgerOutcomeUnknown } from '@kcm/ledger';
import { checkExport, eventsIn } from './export-file.js';
import type { Told } from './export-ledger.js';
import { MoveRefused } from './refusal.js';

export interface Imported {
  /** The ledger that was exported, and the one that goes on. */
  readonly from: string;
  readonly ledger: string;
  readonly events: number;
  readonly tenants: number;
}

/**
 * Makes an empty ledger the copy of an exported one: the same events in the same order, and behind
 * them the raised term of each tenant. One that was cut goes on where it was cut.
 * @throws MoveRefused · KcmError · the ledger's errors
 */
export async function importLedger(
  ledger: Ledger,
  file: string,
  clock: Clock,
  told: Told = () => {},
  /** Appends that are under way together; more than one only where their order is kept. */
  atOnce = 1,
): Promise<Imported> {
  const { ledger: from, events, tenants } = await checkExport(file);
  if (from === ledger.id) throw notEmpty(`${file} was exported from it`);
  const there = await copiedAlready(ledger, file);
  let copied = 0;
  const waiting: Promise<void>[] = [];
  for await (const group of appendsOf(file)) {
    copied += group.length;
    if (copied > there) {
      const appending = append(ledger, group);
      // Told where all of them are waited for.
      appending.catch(() => undefined);
      waiting.push(appending);
    }
    if (waiting.length < atOnce) continue;
    await Promise.all(waiting.splice(0));
    told(copied);
  }
  await Promise.all(waiting);
  for (const [tenant, region] of tenants) await raiseTerm(ledger, clock, tenant, region);
  return { from, ledger: ledger.id, events, tenants: tenants.size };
}

/**
 * How many events of the file the ledger has; behind all of them it may have raised terms.
 * @throws MoveRefused ledger_not_empty
 */
async function copiedAlready(ledger: Ledger, file: string): Promise<number> {
  const wanted = eventsIn(file);
  let same = 0;
  try {
    for await (const item of ledger.feed('start', new AbortController().signal)) {
      if (item.kind === 'caughtUp') break;
      if (item.kind !== 'events') continue;
      for (const event of item.events) {
        const { value } = await wanted.next();
        const known = value === undefined ? null : eventLine(value) === eventLine(event);
        if (known === false || (known === null && !raisedHere(event, ledger)))
          throw notEmpty(`${event.stream} ${event.revision} is not of ${file}`);
        if (known === true) same += 1;
      }
    }
  } finally {
    await wanted.return();
  }
  return same;
}

const raisedHere = ({ type, data }: RecordedEvent, ledger: Ledger): boolean =>
  type === 'TermRaised' && data['ledger'] === ledger.id;

/** What was appended together is appended together. */
async function* appendsOf(file: string): AsyncGenerator<readonly Exported[], void, undefined> {
  let group: Exported[] = [];
  for await (const event of eventsIn(file)) {
    const last = group.at(-1);
    const together =
      last?.stream === event.stream &&
      last.meta.commandId === event.meta.commandId &&
      group.length < LIMITS.eventsPerAppendMax;
    if (!together && group.length > 0) {
      yield group;
      group = [];
    }
    group.push(event);
  }
  if (group.length > 0) yield group;
}

async function append(ledger: Ledger, group: readonly Exported[]): Promise<void> {
  const { stream, revision } = group[0]!;
  const expected = revision === 0 ? 'noStream' : revision - 1;
  const events = oneOrMore(
    group.map(({ id, type, schemaVersion, data, meta }): NewEvent => ({
      id,
      type,
      schemaVersion,
      data,
      meta,
    })),
  )!;
  for (let attempt = 0; ; attempt += 1)
    try {
      await ledger.append(stream, expected, events);
      return;
    } catch (error) {
      if (error instanceof LedgerConflict) throw notEmpty(`somebody else writes in ${stream}`);
      if (!(error instanceof LedgerOutcomeUnknown) || attempt >= LIMITS.conflictRetriesMax)
        throw error;
    }
}

const NO_FENCE = { term: 0, epoch: 0 };
/** Once a ledger, however often it is asked. */
async function raiseTerm(
  ledger: Ledger,
  clock: Clock,
  tenant: string,
  region: string,
): Promise<void> {
  const commandId = commandIdOf(['import', ledger.id, tenant]);
  const context: CommandContext = {
    commandId,
    fingerprint: '',
    tenant,
    actor: 'process:import',
    correlationId: commandId,
    causationId: commandId,
  };
  const stream = streamOf('access', tenant);
  const deps = { ledger, catalog: eventCatalog, clock, region, fence: () => NO_FENCE };
  const fence = await stateOf(deps, accessDecider, stream);
  const command = { kind: 'RaiseTerm', ledger: ledger.id } as const;
  await runDecider({ ...deps, fence: () => fence }, accessDecider, stream, command, context);
}

const notEmpty = (what: string) =>
  new MoveRefused(
    'ledger_not_empty',
    `The ledger has events that are not the import's: ${what}. Import into an empty one.`,
  );
