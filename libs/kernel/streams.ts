import type { StreamId } from './ids.js';

/** Every category of stream (architecture §5). */
export const CATEGORIES = [
  'tenant',
  'access',
  'rootkeys',
  'claim',
  'key',
  'revocation',
  'edge',
  'region',
  'calls',
  'refused',
] as const;
export type Category = (typeof CATEGORIES)[number];

/** Operational categories are skipped by lifecycle projections. */
export const OPERATIONAL: ReadonlySet<Category> = new Set(['calls', 'refused']);

export interface ParsedStream {
  readonly category: Category;
  /** The tenant, region or digest that owns the stream. */
  readonly owner: string;
  /** Second part of a `{category}-{owner}.{id}` name, or null. */
  readonly id: string | null;
}

const PART = /^[A-Za-z0-9_-]{1,80}$/;

/** @throws RangeError on an owner or id that a stream name cannot hold */
export function streamOf(category: Category, owner: string, id?: string): StreamId {
  if (!PART.test(owner) || (id !== undefined && !PART.test(id)))
    throw new RangeError(`not a stream name part: ${category}-${owner}.${id ?? ''}`);
  return (id === undefined ? `${category}-${owner}` : `${category}-${owner}.${id}`) as StreamId;
}

/**
 * The first `-` ends the category, the first `.` the owner. @throws RangeError on any other form
 */
export function parseStream(stream: string): ParsedStream {
  const dash = stream.indexOf('-');
  const category = stream.slice(0, dash) as Category;
  const rest = stream.slice(dash + 1);
  const dot = rest.indexOf('.');
  const owner = dot < 0 ? rest : rest.slice(0, dot);
  const id = dot < 0 ? null : rest.slice(dot + 1);
  if (dash < 1 || !CATEGORIES.includes(category) || !PART.test(owner))
    throw new RangeError(`not a stream name: ${stream}`);
  if (id !== null && !PART.test(id)) throw new RangeError(`not a stream name: ${stream}`);
  return { category, owner, id };
}
