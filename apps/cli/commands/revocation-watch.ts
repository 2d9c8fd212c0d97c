import type { Command } from 'commander';
import { printLine } from '../output.js';
import { declare, type Run } from '../program.js';
import { followRevocation, type Revocation, said } from '../revocation.js';
import { ofTenant } from '../tenant-words.js';

interface Watch {
  readonly tenant: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** The lines of what holds now; those that were said before are not said again. */
export function linesOf(revocation: Revocation, nowMs: number): readonly string[] {
  const { kind, id, stage, hardBound, holders } = revocation;
  const ends = kind === 'read-only' ? 'no lease that protects' : 'no lease';
  const head = `${kind} ${id}  ${stage}; ${ends} lives after ${hardBound}`;
  return [head, ...holders.map((holder) => said(holder, revocation, nowMs))];
}

function summary({ kind, stage, holders, receipt }: Revocation): string {
  const spoke = holders.filter(({ refusedAt }) => refusedAt !== null).length;
  const none = kind === 'read-only' ? 'no receipt of a read-only' : 'no receipt yet';
  const issued = receipt === null ? none : `receipt ${receipt}`;
  return `settled (${stage}): ${spoke} refused, ${holders.length - spoke} silent; ${issued}`;
}

async function watch(run: Run, id: string, options: Watch): Promise<string | undefined> {
  const told = new Set<string>();
  const last = await followRevocation(run.client, options.tenant, id, (seen, nowMs) => {
    const fresh = linesOf(seen, nowMs).filter((line) => !told.has(line));
    if (options.json && fresh.length > 0) printLine(seen, '', options);
    for (const line of fresh) {
      told.add(line);
      if (!options.json && !options.quiet) printLine(seen, line, options);
    }
  });
  return options.json || options.quiet ? undefined : summary(last);
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
    (run, options, id) => watch(run, id, options),
  );
}
