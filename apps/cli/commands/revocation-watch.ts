import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client.js';
import { passes } from '../failures.js';
import { printLine } from '../output.js';
import { declare } from '../program.js';
import { ofTenant, tenantPath } from './tenants.js';

interface Holder {
  readonly id: string;
  readonly refusedAt: string | null;
  readonly erasedAt: string | null;
  readonly lastGrantEnds: string | null;
}
interface Revocation {
  readonly id: string;
  readonly kind: string;
  readonly stage: string;
  readonly hardBound: string;
  readonly holders: readonly Holder[];
  readonly receipt: string | null;
}
interface Watch {
  readonly tenant: string;
  readonly json: boolean;
  readonly quiet: boolean;
}
const LOOK_MS = 250;

/** After this time a holder that has said nothing can serve no more. */
const silentUntil = ({ lastGrantEnds }: Holder, { hardBound }: Revocation): string =>
  lastGrantEnds ?? hardBound;

function isDone(holder: Holder, revocation: Revocation, nowMs: number): boolean {
  return holder.refusedAt !== null || Date.parse(silentUntil(holder, revocation)) <= nowMs;
}

function said(holder: Holder, revocation: Revocation, nowMs: number): string {
  const { id, refusedAt, erasedAt } = holder;
  if (refusedAt !== null)
    return `${id}  refused ${refusedAt}, ${erasedAt === null ? 'erasure not confirmed' : `erased ${erasedAt}`}`;
  const end = silentUntil(holder, revocation);
  return isDone(holder, revocation, nowMs)
    ? `${id}  silent; its last grant ended ${end}`
    : `${id}  silent; its last grant ends ${end}`;
}

/** The lines of what holds now; those that were said before are not said again. */
export function linesOf(revocation: Revocation, nowMs: number): readonly string[] {
  const { kind, id, stage, hardBound, holders } = revocation;
  const head = `${kind} ${id}  ${stage}; no lease lives after ${hardBound}`;
  return [head, ...holders.map((holder) => said(holder, revocation, nowMs))];
}

/** Nothing of it can change by itself: each holder has spoken, or its last grant has ended. */
export function isSettled(revocation: Revocation, nowMs: number): boolean {
  const { stage, holders } = revocation;
  return stage === 'released' || holders.every((holder) => isDone(holder, revocation, nowMs));
}

function summary({ stage, holders, receipt }: Revocation): string {
  const spoke = holders.filter(({ refusedAt }) => refusedAt !== null).length;
  const issued = receipt === null ? 'no receipt yet' : `receipt ${receipt}`;
  return `settled (${stage}): ${spoke} refused, ${holders.length - spoke} silent; ${issued}`;
}

/** Everybody who may see a revocation may watch it: it is read again and again. */
async function watch(client: Client, id: string, options: Watch): Promise<string | undefined> {
  const path = tenantPath(options.tenant, 'revocations', id);
  const told = new Set<string>();
  for (let seen: Revocation | null = null; ; await sleep(LOOK_MS)) {
    try {
      seen = await client.get<Revocation>(path);
    } catch (error) {
      if (seen === null || !passes(error)) throw error;
      continue;
    }
    const now = Date.now();
    const fresh = linesOf(seen, now).filter((line) => !told.has(line));
    if (options.json && fresh.length > 0) printLine(seen, '', options);
    for (const line of fresh) {
      told.add(line);
      if (!options.json) printLine(seen, line, options);
    }
    if (isSettled(seen, now)) return options.json ? undefined : summary(seen);
  }
}

export function revocationWatchCommand(revocation: Command): void {
  declare<Watch>(
    revocation,
    'watch <id>',
    {
      summary: 'Who has acknowledged, who is silent until when: live, until it is settled',
      example: 'revocation watch … --tenant acme',
    },
    ofTenant,
    ({ client }, options, id) => watch(client, id, options),
  );
}
