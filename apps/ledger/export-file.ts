import { createReadStream } from 'node:fs';
import { eventCatalog } from '@kcm/domain';
import {
  EXPORT_FORMAT as FORMAT,
  type Exported,
  type ExportEnd as End,
  type ExportHeader as Header,
} from '@kcm/application';
import { parseStream, type Position, Sha256 } from '@kcm/kernel';
import { MoveRefused } from './refusal.js';

/** No line of an export is longer: an event has a limit. */
const LINE_CHARS_MAX = 4 * 1024 * 1024;

/** What a whole export holds. */
export interface ExportFacts {
  readonly ledger: string;
  readonly events: number;
  /** Each tenant with the region that registered it. */
  readonly tenants: ReadonlyMap<string, string>;
}

/**
 * Reads an export to its end without believing any of it.
 * @throws MoveRefused not_an_export · export_cut · export_reordered · export_damaged
 *  · UnknownEventType: a later release wrote it
 */
export async function checkExport(file: string): Promise<ExportFacts> {
  const digest = new Sha256();
  const order = new StreamOrder();
  const tenants = new Map<string, string>();
  let header: Header | null = null;
  let events = 0;
  let end: End | null = null;
  for await (const { text, whole } of linesOf(file)) {
    if (header === null) {
      header = headerOf(text);
      if (header === null) throw notAnExport(file);
      if (!whole) throw cut(file);
      digest.update(`${text}\n`);
      continue;
    }
    if (!whole) throw cut(file);
    if (end !== null) throw damaged(file, 'something follows its last line');
    const said = parsed(text);
    if (said === null) throw damaged(file, `line ${events + 2} is no JSON`);
    if (isEnd(said)) {
      end = said;
      continue;
    }
    if (!isEvent(said)) throw damaged(file, `line ${events + 2} is no event`);
    eventCatalog.upcast({ ...said, position: '' as Position });
    digest.update(`${text}\n`);
    events += 1;
    order.next(said);
    if (said.stream.startsWith('tenant-') && said.revision === 0)
      tenants.set(said.stream.slice('tenant-'.length), said.meta.origin);
  }
  if (header === null) throw notAnExport(file);
  if (end === null) throw cut(file);
  if (order.broken !== null)
    throw new MoveRefused(
      'export_reordered',
      `${file} is not in the order of its ledger: ${order.broken}. Export again.`,
    );
  if (end.events !== events || end.sha256 !== digest.hex())
    throw damaged(file, 'its digest is not that of its lines');
  return { ledger: header.ledger, events, tenants };
}

/** The events of an export that was checked. */
export async function* eventsIn(file: string): AsyncGenerator<Exported, void, undefined> {
  let first = true;
  for await (const { text } of linesOf(file)) {
    const said = first ? null : parsed(text);
    first = false;
    if (said !== null && isEvent(said)) yield said;
  }
}

/** Each stream's revisions from 0 on, each once, and no id twice. */
class StreamOrder {
  broken: string | null = null;
  readonly #next = new Map<string, number>();
  readonly #ids = new Set<string>();

  next({ stream, revision, id }: Exported): void {
    const wanted = this.#next.get(stream) ?? 0;
    if (revision !== wanted) this.broken ??= `${stream} goes on at ${revision}, not at ${wanted}`;
    else if (this.#ids.has(id)) this.broken ??= `${stream} ${revision} has the id of another event`;
    this.#next.set(stream, wanted + 1);
    this.#ids.add(id);
  }
}

export interface Line {
  readonly text: string;
  /** Ended by its line feed. */
  readonly whole: boolean;
}

/** @throws MoveRefused for a line that is too long */
export async function* linesOf(
  file: string,
  tooLong: (file: string) => MoveRefused = notAnExport,
): AsyncGenerator<Line, void, undefined> {
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8' })) {
    const texts = (rest + String(chunk)).split('\n');
    rest = texts.pop()!;
    for (const text of texts) yield { text, whole: true };
    if (rest.length > LINE_CHARS_MAX) throw tooLong(file);
  }
  if (rest !== '') yield { text: rest, whole: false };
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function headerOf(text: string): Header | null {
  const said = parsed(text) as Partial<Header> | null;
  return said?.format === FORMAT && typeof said.ledger === 'string' ? (said as Header) : null;
}

const isEnd = (said: unknown): said is End => {
  const { events, sha256 } = (said ?? {}) as Partial<End>;
  return typeof events === 'number' && typeof sha256 === 'string';
};

export function isEvent(said: unknown): said is Exported {
  const { stream, revision, id, type, schemaVersion, data, meta } = (said ??
    {}) as Partial<Exported>;
  return (
    [stream, id, type].every((text) => typeof text === 'string') &&
    [revision, schemaVersion].every(Number.isSafeInteger) &&
    [data, meta].every((part) => typeof part === 'object' && part !== null) &&
    isStream(stream!)
  );
}

function isStream(stream: string): boolean {
  try {
    parseStream(stream);
    return true;
  } catch {
    return false;
  }
}

const notAnExport = (file: string) =>
  new MoveRefused('not_an_export', `${file} is no export of a ledger (${FORMAT}).`);
const cut = (file: string) =>
  new MoveRefused('export_cut', `${file} ends before its last line. Take the whole file.`);
const damaged = (file: string, what: string) =>
  new MoveRefused('export_damaged', `${file} is damaged: ${what}. Export again.`);
