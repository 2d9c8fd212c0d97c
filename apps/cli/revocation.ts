import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.js';
import { passes } from './failures.js';
import type { Run } from './program.js';
import { tenantPath } from './tenant-words.js';

export interface Holder {
  readonly id: string;
  readonly refusedAt: string | null;
  readonly erasedAt: string | null;
  readonly lastGrantEnds: string | null;
}
export interface Revocation {
  readonly id: string;
  readonly kind: string;
  readonly stage: string;
  readonly hardBound: string;
  readonly holders: readonly Holder[];
  readonly receipt: string | null;
}
const LOOK_MS = 250;

/** After this time a holder that has said nothing can serve no more. */
const silentUntil = ({ lastGrantEnds }: Holder, { hardBound }: Revocation): string =>
  lastGrantEnds ?? hardBound;

function isDone(holder: Holder, revocation: Revocation, nowMs: number): boolean {
  return holder.refusedAt !== null || Date.parse(silentUntil(holder, revocation)) <= nowMs;
}

function done(refusedAt: string, erasedAt: string | null, { kind }: Revocation): string {
  if (kind === 'read-only') return `protects nothing since ${refusedAt}, decrypts on`;
  const erased = erasedAt === null ? 'erasure not confirmed' : `erased ${erasedAt}`;
  return `refused ${refusedAt}, ${erased}`;
}

/** One line about a holder. */
export function said(holder: Holder, revocation: Revocation, nowMs: number): string {
  const { id, refusedAt, erasedAt } = holder;
  if (refusedAt !== null) return `${id}  ${done(refusedAt, erasedAt, revocation)}`;
  const end = silentUntil(holder, revocation);
  return isDone(holder, revocation, nowMs)
    ? `${id}  silent; its last grant ended ${end}`
    : `${id}  silent; its last grant ends ${end}`;
}

/** Nothing of it can change by itself: each holder has spoken, or its last grant has ended. */
export function isSettled(revocation: Revocation, nowMs: number): boolean {
  const { stage, holders } = revocation;
  return stage === 'released' || holders.every((holder) => isDone(holder, revocation, nowMs));
}

/**
 * Until it is settled. Who may see a revocation may follow it: it is read again and again.
 * @param look at each reading of it, with this machine's clock
 */
export async function followRevocation(
  client: Client,
  tenant: string,
  id: string,
  look: (seen: Revocation, nowMs: number) => void,
): Promise<Revocation> {
  const path = tenantPath(tenant, 'revocations', id);
  for (let seen: Revocation | null = null; ; await sleep(LOOK_MS)) {
    try {
      seen = await client.get<Revocation>(path);
    } catch (error) {
      if (seen === null || !passes(error)) throw error;
      continue;
    }
    const now = Date.now();
    look(seen, now);
    if (isSettled(seen, now)) return seen;
  }
}

/** Who has acknowledged, and until when the others can serve. */
export function heard(revocation: Revocation, nowMs: number): string {
  const { holders } = revocation;
  const spoke = holders.filter(({ refusedAt }) => refusedAt !== null).length;
  const silent = holders
    .filter((holder) => !isDone(holder, revocation, nowMs))
    .map((holder) => `${holder.id} silent until ${silentUntil(holder, revocation)}`);
  return [`${spoke} of ${holders.length} have acknowledged`, ...silent].join('; ');
}

/** Waits until nobody can serve any more. */
export const holdersHeard = ({ client, progress }: Run, tenant: string, id: string) =>
  progress.during('Who holds a lease is told', (tell) =>
    followRevocation(client, tenant, id, (seen, nowMs) => tell(heard(seen, nowMs))),
  );
