import type { Commands } from '@kcm/application';
import { KcmError, streamOf } from '@kcm/kernel';

/**
 * For the guard of what nobody may ask of a killed tenant any more: only a quorum gives it back.
 * @throws KcmError tenant_killed
 */
export async function refuseKilled(commands: Commands, tenant: string): Promise<void> {
  const { status } = await commands.state('access', streamOf('access', tenant));
  if (status === 'killed') throw new KcmError('tenant_killed', 'The tenant has been killed.');
}
