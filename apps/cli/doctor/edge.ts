import { askEdge } from '../edge-socket.js';
import { Unreachable } from '../failures.js';
import type { Finding } from './finding.js';

interface Ready {
  readonly reasons: readonly string[];
}
const NEXT: { readonly [code: string]: string } = {
  no_expose_gc: 'start it by `npm start`, or as node --expose-gc dist/apps/edge/main.js',
  core_unreachable: 'see that Core runs and answers on the address that this Edge was given',
};

/** What the Edge behind one socket says about itself. */
export async function edgeFindings(service: string, socketPath: string): Promise<Finding[]> {
  const part = `Edge for ${service}`;
  try {
    const { status, body } = await askEdge(socketPath, 'GET', '/readyz');
    return (body as Ready).reasons.map((reason): Finding => {
      const code = reason.split(':')[0]!;
      const level = status === 200 ? 'degraded' : 'wrong';
      return { level, part, detail: reason, next: NEXT[code] ?? null };
    });
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return [{ level: 'wrong', part, detail: error.message, next: 'start it again' }];
  }
}
