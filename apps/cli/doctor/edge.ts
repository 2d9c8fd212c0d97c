import type { HealthReport } from '@kcm/kernel';
import { objectOf, unexpected } from '../answer.js';
import { askEdge } from '../edge-socket.js';
import { Refused, Unreachable } from '../failures.js';
import { ANSWER_MS_MAX, type Finding } from './finding.js';
import { findingOf } from './server.js';

/** What the Edge behind one socket says about itself. */
export async function edgeFindings(service: string, socketPath: string): Promise<Finding[]> {
  const part = `Edge for ${service}`;
  try {
    const { text } = await askEdge(socketPath, 'GET', '/readyz', undefined, ANSWER_MS_MAX);
    const { reasons } = objectOf(text) as Partial<HealthReport>;
    if (!Array.isArray(reasons)) throw unexpected('it does not say how it is');
    return reasons.map((reason) => ({ ...findingOf(reason), part }));
  } catch (error) {
    if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
    const [detail] = error.message.split('\n');
    return [{ level: 'wrong', part, detail: detail!, next: 'start it again' }];
  }
}
