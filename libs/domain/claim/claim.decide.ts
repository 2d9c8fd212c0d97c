import { accepted, refused, type Decider } from '../decider.js';
import type { ClaimCommand } from './claim.commands.js';
import type { ClaimEvent } from './claim.events.js';
import type { ClaimState } from './claim.state.js';

/**
 * A keystore's key belongs to the first tenant that proved it. The same tenant may claim it again
 * under another root key id: a connection that was refused after the claim is tried again.
 */
export const claimDecider: Decider<ClaimCommand, ClaimState, ClaimEvent> = {
  initial: { status: 'free' },
  decide(command, state) {
    const { tenant, rootKeyId } = command;
    if (state.status === 'claimed' && state.tenant !== tenant)
      return refused('root_key_in_use', 'This key is in use already.');
    if (state.status === 'claimed' && state.rootKeyId === rootKeyId) return accepted();
    return accepted({ type: 'RootKeyClaimed', data: { tenant, rootKeyId } });
  },
  evolve: (_, event) => ({ status: 'claimed', ...event.data }),
};
