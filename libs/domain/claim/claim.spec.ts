import { everyCell, given } from '@kcm/testing';
import { claimDecider } from './claim.decide.js';
import type { ClaimEvent } from './claim.events.js';

const claimed: ClaimEvent = { type: 'RootKeyClaimed', data: { tenant: 'acme', rootKeyId: 'rk1' } };
const claim = (tenant: string, rootKeyId: string) =>
  ({ kind: 'ClaimRootKey', tenant, rootKeyId }) as const;

describe('claim: every state × command', () => {
  everyCell(claimDecider, {
    shows: { free: 'free', claimed: 'claimed' },
    histories: { free: [], claimed: [claimed] },
    commands: { ClaimRootKey: claim('acme', 'rk1') },
    table: { free: { ClaimRootKey: ['RootKeyClaimed'] }, claimed: { ClaimRootKey: [] } },
  });
});

describe('claim', () => {
  it('another tenant cannot have the key, and learns only that it is in use', () =>
    given(claimDecider, [claimed]).when(claim('globex', 'rk1')).refused('root_key_in_use'));

  it('the same tenant may try again under another root key id', () =>
    given(claimDecider, [claimed])
      .when(claim('acme', 'rk2'))
      .then({ type: 'RootKeyClaimed', data: { tenant: 'acme', rootKeyId: 'rk2' } }));
});
