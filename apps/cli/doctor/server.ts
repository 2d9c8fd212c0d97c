import type { HealthReport, Reason } from '@kcm/kernel';
import type { Client } from '../client.js';
import { Refused, UsageError } from '../failures.js';
import type { Finding } from './finding.js';

interface Status {
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly provided: number;
  readonly threshold: number;
  readonly trialGrade: readonly string[];
}
interface Projection {
  readonly name: string;
  readonly state: string;
  readonly detail: string | null;
}

/** It serves all the same, and somebody must act: what is lost next is lost for good. */
const RED = new Set([
  'one_copy',
  'copy_away',
  'backup_failed',
  'erasure_keys_missing',
  'blobs_damaged',
]);

/** @param reason as `/readyz` of the server and of an Edge says it */
export const findingOf = ({ dependency, level, code, detail, next }: Reason): Finding => ({
  level: level === 'unavailable' || RED.has(code) ? 'wrong' : 'degraded',
  part: dependency,
  detail,
  next,
});

/** What the server says about itself. @throws Unreachable */
export async function serverFindings(client: Client): Promise<Finding[]> {
  const status = await client.open<Status>('/v1/sys/status');
  const ready = await client.report<HealthReport>('/readyz');
  const projections = status.sealed ? { findings: [], told: [] } : await readModels(client);
  const told = ['seal', ...projections.told.map((name) => `read-model ${name}`)];
  return [
    ...sealFindings(status),
    ...projections.findings,
    ...ready.reasons.filter(({ dependency }) => !told.includes(dependency)).map(findingOf),
  ];
}

function sealFindings(status: Status): Finding[] {
  const part = 'seal';
  if (!status.initialized) {
    const next = 'kcm init --shares 5 --threshold 3';
    return [{ level: 'wrong', part, detail: 'the region is not initialized', next }];
  }
  const trials = status.trialGrade.map((text): Finding => {
    const [, of = 'region', detail = text] = /^([a-z-]+): (.+)$/.exec(text) ?? [];
    const next = of === part ? 'begin a new data folder with KCM_SEAL=shamir npm start' : null;
    return { level: 'trial-grade', part: of, detail, next };
  });
  if (!status.sealed) return trials;
  const detail = `the region is sealed; ${status.provided} of ${status.threshold} shares are given`;
  return [{ level: 'wrong', part, detail, next: 'kcm unseal --share -' }, ...trials];
}

/** Those that stand still; `told` names them, for `/readyz` names them too. */
async function readModels(client: Client): Promise<{ findings: Finding[]; told: string[] }> {
  let all: Projection[];
  try {
    all = await client.list<Projection>('/v1/sys/projections');
  } catch (error) {
    return { findings: [notAsked(error)], told: [] };
  }
  const still = all.filter(({ state }) => state === 'failed' || state === 'waiting');
  const findings = still.map(({ name, state, detail }): Finding => {
    const failed = state === 'failed';
    return {
      level: failed ? 'wrong' : 'degraded',
      part: name,
      detail: `${failed ? 'the read model stands still' : 'waits'}: ${detail ?? 'no reason known'}`,
      next: failed ? `kcm projection rebuild ${name}` : null,
    };
  });
  return { findings, told: still.map(({ name }) => name) };
}

/** @throws what is no matter of the token */
function notAsked(error: unknown): Finding {
  const part = 'token';
  if (error instanceof UsageError) {
    const detail = 'there is none, so the read models were not looked at';
    return { level: 'note', part, detail, next: error.message };
  }
  if (!(error instanceof Refused)) throw error;
  const { code, detail } = error.problem;
  if (code === 'forbidden') {
    const next = "use the operator's to look at the read models too";
    return { level: 'note', part, detail: 'it is not an operator’s or auditor’s', next };
  }
  const next = code === 'unauthenticated' ? 'set KCM_TOKEN to a valid one' : 'ask again';
  return { level: 'wrong', part, detail: `${detail} [${code}]`, next };
}
