import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Receipt, Trust } from '@kcm/evidence/verify';
import { verifyReceipt } from '@kcm/evidence/verify';
import { parseCheckpoint, verifyConsistency } from '@kcm/transparency';
import { type Ended, runToEnd, type Stage, until } from './processes.js';
import type { Tenant } from './tenant.js';

export interface RevocationView {
  readonly id: string;
  readonly kind: string;
  readonly stage: string;
  readonly startedAt: string;
  readonly hardBound: string;
  readonly holders: readonly {
    readonly id: string;
    readonly refusedAt: string | null;
    readonly erasedAt: string | null;
    readonly lastGrantEnds: string | null;
  }[];
}
export interface Fetched {
  readonly jws: string;
  /** Read, not verified. */
  readonly said: Receipt;
}

/** The only revocation of this kind, as an auditor sees it. */
export const revocationOf = (tenant: Tenant, kind: string): Promise<RevocationView> =>
  until(`the revocation ${kind} of ${tenant.id}`, 15_000, async () => {
    const list = await tenant.auditor.list<RevocationView>(`${tenant.path}/revocations`);
    return list.find((each) => each.kind === kind) ?? null;
  });

/** The receipt of one ending. A silent holder delays it to the hard bound. */
export const receiptOf = (
  { auditor, path, id }: Tenant,
  revocation: string,
  kind: Receipt['kind'],
): Promise<Fetched> =>
  until(`the receipt ${kind} of ${id}`, 25_000, async () => {
    const { body, code } = await auditor.get<string>(`${path}/revocations/${revocation}/receipt`);
    if (code !== null) return null;
    const jws = body.trim();
    const payload = Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8');
    const said = JSON.parse(payload) as Receipt;
    return said.kind === kind ? { jws, said } : null;
  });

export const trustOf = ({ auditor, path }: Tenant): Promise<Trust> =>
  auditor.read<Trust>(`${path}/trust`);

/**
 * What the receipt proves is what the region serves: its checkpoint begins the log of now, and each
 * of its events is there at the leaf that it names.
 */
export async function inTheLog({ auditor }: Tenant, said: Receipt): Promise<void> {
  if (said.format !== 2) throw new Error('the receipt has no proof');
  const first = parseCheckpoint(`${said.checkpoint.split('\n\n', 1)[0]}\n`);
  const log = `/v1/log/${said.region}`;
  const note = await auditor.read<string>(`${log}/checkpoint`);
  const second = parseCheckpoint(`${note.split('\n\n', 1)[0]}\n`);
  if (first === null || second === null) throw new Error('not a checkpoint');
  const query = `from=${first.size}&to=${second.size}`;
  const { path } = await auditor.read<{ path: string[] }>(`${log}/consistency?${query}`);
  const bytes = path.map((hash) => Buffer.from(hash, 'base64'));
  if (!verifyConsistency({ first, second, path: bytes })) throw new Error('not of this log');
  for (const { id, index } of said.events) {
    const proof = await auditor.read<{ index: number }>(`${log}/proof?event=${id}`);
    if (proof.index !== index) throw new Error(`${id} is at another leaf`);
  }
}

/** `kcm receipt verify`: another program without a server, a database or a network. */
export async function verifyApart(
  stage: Stage,
  name: string,
  jws: string,
  trust: Trust,
): Promise<Ended> {
  const file = stage.path(`${name}.jws`);
  const pinned = stage.path(`${name}.trust.json`);
  writeFileSync(file, `${jws}\n`);
  writeFileSync(pinned, JSON.stringify(trust));
  return runToEnd('cli', ['receipt', 'verify', file, '--trust', pinned], {}, withoutNetwork());
}

/** The positions at which a change of the character goes unnoticed: none, it is hoped. */
export function unnoticedChanges(jws: string, trust: Trust): number[] {
  const unnoticed: number[] = [];
  for (let at = 0; at < jws.length; at += 1)
    for (const to of [neighbour(jws[at]!), String.fromCharCode(jws.charCodeAt(at) ^ 1)])
      if (verifies(jws.slice(0, at) + to + jws.slice(at + 1), trust)) unnoticed.push(at);
  return unnoticed;
}

export function verifies(jws: string, trust: Trust): boolean {
  try {
    verifyReceipt(jws, trust);
    return true;
  } catch {
    return false;
  }
}

/** The words that take the network from a program; none where the system does not allow it. */
function withoutNetwork(): readonly string[] {
  const words = ['unshare', '--map-root-user', '--net'];
  const tried = spawnSync(words[0]!, [...words.slice(1), 'true'], { stdio: 'ignore' });
  return tried.status === 0 ? words : [];
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** The next character of the alphabet: the change that still decodes. */
const neighbour = (character: string): string =>
  BASE64URL[(BASE64URL.indexOf(character) + 1) % BASE64URL.length]!;
