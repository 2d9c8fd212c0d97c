import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.js';
import { EXIT, passes, Refused } from './failures.js';
import type { Progress } from './progress.js';

/** Work that the server goes on with: GET /v1/operations/{id}. */
export interface Operation {
  readonly id: string;
  readonly kind: string;
  readonly state: 'pending' | 'succeeded' | 'failed';
  /** Path of what it is about. */
  readonly resource: string;
  readonly requestedAt: string;
  readonly finishedAt: string | null;
  readonly code?: string;
  readonly step?: string;
}
const LOOK_MS = 500;

export const operationPath = (id: string): string => `/v1/operations/${encodeURIComponent(id)}`;
/** What to type to go on waiting. */
export const waitCommand = (id: string): string => `kcm operation wait ${id}`;

async function untilOver(client: Client, id: string): Promise<Operation> {
  for (let seen: Operation | null = null; ; await sleep(LOOK_MS)) {
    try {
      seen = await client.get<Operation>(operationPath(id));
      if (seen.state !== 'pending') return seen;
    } catch (error) {
      // The server may be restarted meanwhile; that it never knew of it is told.
      if (seen === null || !passes(error)) throw error;
    }
  }
}

/** Ctrl-C stops the waiting and not the work. */
async function untilOverOrLeft<T>(id: string, work: Promise<T>): Promise<T> {
  const leave = () => {
    // Past what draws the progress, which holds the stream and has hidden the cursor.
    const cursor = process.stderr.isTTY ? '\u001b[?25h\n' : '';
    writeSync(2, `${cursor}Still at work. To go on waiting: ${waitCommand(id)}\n`);
    process.exit(EXIT.waiting);
  };
  process.on('SIGINT', leave);
  try {
    return await work;
  } finally {
    process.off('SIGINT', leave);
  }
}

/** @returns the operation that succeeded. @throws Refused when it failed · Unreachable */
export async function waitFor(client: Client, progress: Progress, id: string): Promise<Operation> {
  const title = `Waiting for operation ${id} (Ctrl-C leaves it at work)`;
  const operation = await progress.during(title, () => untilOverOrLeft(id, untilOver(client, id)));
  if (operation.state === 'succeeded') return operation;
  const { code = 'internal', step, kind } = operation;
  const detail = `${kind} was refused.`;
  throw new Refused({ code, detail, ...(step === undefined ? {} : { step }) });
}
