import { createHash } from 'node:crypto';
import type { Brand } from './brand.js';
import { canonicalJson, type Json } from './canonical-json.js';
import type { Random } from './random.js';

export type StreamId = Brand<string, 'StreamId'>;
export type EventId = Brand<string, 'EventId'>;
export type CommandId = Brand<string, 'CommandId'>;
export type LedgerId = Brand<string, 'LedgerId'>;
export type Position = Brand<string, 'Position'>;
export type Revision = number;

export const TENANT_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
export const SERVICE_ID = /^[a-z0-9][a-z0-9-]{0,31}$/;
export const REGION_ID = SERVICE_ID;
export const EDGE_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** RFC 9562 §5.5 name-based UUID (SHA-1) inside a fixed namespace of this product. */
const NAMESPACE = Buffer.from('6f3c1f0a5b9d4c0e8a7d2f6b9e1c4d77', 'hex');

export function uuidv5(name: string, namespace: string | null = null): string {
  const ns = namespace === null ? NAMESPACE : Buffer.from(namespace.replaceAll('-', ''), 'hex');
  const hash = createHash('sha1').update(ns).update(name, 'utf8').digest().subarray(0, 16);
  return formatUuid(hash, 5);
}

/** RFC 9562 §5.4 random UUID from the given source. */
export const uuidv4 = (random: Random): string => formatUuid(random.bytes(16), 4);

function formatUuid(bytes: Buffer, version: number): string {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Deterministic command id over any JSON identity, e.g. [tenant, subject, method, path, key]. */
export const commandIdOf = (identity: Json): CommandId =>
  uuidv5(canonicalJson(identity)) as CommandId;

/** Where an identity stands in [0, 1): evenly spread, and the same each time. */
export const fractionOf = (identity: Json): number =>
  Number.parseInt(commandIdOf(identity).slice(0, 8), 16) / 2 ** 32;

export const eventIdOf = (commandId: CommandId, stream: StreamId, ordinal: number): EventId =>
  uuidv5(`${stream}#${ordinal}`, commandId) as EventId;
