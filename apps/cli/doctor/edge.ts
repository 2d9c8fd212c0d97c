import type { HealthReport } from '@kcm/kernel';
import { askEdge } from '../edge-socket.js';
import { Unreachable } from '../failures.js';
import { ANSWER_MS_MAX, type Finding } from './finding.js';
import { findingOf } from './server.js';

/** What the Edge behind one socket says about itself. */
export async function edgeFindings(service: string, socketPath: string): Promise<Finding[]> {
  const part = `Edge for ${service}`;
  try {
    const { body } = await askEdge(socketPath, 'GET', '/readyz', undefined, ANSWER_MS_MAX);
    const { reasons } = body as Pick<HealthReport, 'reasons'>;
    return reasons.map((reason) => ({ ...findingOf(reason), part }));
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return [{ level: 'wrong', part, detail: error.message, next: 'start it again' }];
  }
}
