import * as fc from 'fast-check';
import { everyCell, given } from '@kcm/testing';
import type { RootKeysCommand } from './rootkeys.commands.js';
import { rootkeysDecider } from './rootkeys.decide.js';
import type { RootKeysEvent } from './rootkeys.events.js';
import { isConnected } from './rootkeys.policies.js';

const request = {
  rootKeyId: 'rk1',
  keystore: 'software',
  reference: { url: 'http://127.0.0.1:1', key: 'k1' },
  mode: 'hyok',
  credentialsDigest: null,
  operation: 'op1',
} as const;
const proof = {
  rootKeyId: 'rk1',
  resolved: 'arn:k1',
  keyVersion: '1',
  callId: 'c1',
  providerRequestId: 'p1',
};
const refusal = {
  rootKeyId: 'rk1',
  step: 'auth',
  code: 'keystore_auth_failed',
  callId: 'c1',
} as const;
const denial = {
  rootKeyId: 'rk1',
  code: 'root_key_disabled',
  callId: 'c2',
  providerRequestId: 'p2',
} as const;
const doubt = { ...denial, code: 'root_key_unreachable' } as const;
const probe = {
  rootKeyId: 'rk1',
  operation: 'pr1',
  outcome: 'ok',
  code: null,
  step: null,
  callId: 'c3',
  providerRequestId: null,
} as const;

const requested: RootKeysEvent = { type: 'RootKeyConnectionRequested', data: request };
const connected: RootKeysEvent = {
  type: 'RootKeyConnected',
  data: { ...proof, primary: true, operation: 'op1' },
};
const refusedEvent: RootKeysEvent = {
  type: 'RootKeyConnectionRefused',
  data: { ...refusal, operation: 'op1' },
};
const denied: RootKeysEvent = { type: 'RootKeyDenied', data: denial };
const indeterminate: RootKeysEvent = { type: 'RootKeyIndeterminate', data: doubt };
const probing: RootKeysEvent = {
  type: 'RootKeyProbeRequested',
  data: { rootKeyId: 'rk1', operation: 'pr1' },
};

describe('rootkeys: every state of a key × command', () => {
  const enabled = [requested, connected];
  everyCell(rootkeysDecider, {
    shows: { none: 'none', some: 'requested' },
    histories: {
      none: [],
      requested: [requested],
      refused: [requested, refusedEvent],
      enabled,
      denied: [...enabled, denied],
      indeterminate: [...enabled, indeterminate],
      probing: [...enabled, probing],
    },
    commands: {
      RequestConnection: { kind: 'RequestConnection', ...request },
      ConfirmConnection: { kind: 'ConfirmConnection', ...proof },
      RefuseConnection: { kind: 'RefuseConnection', ...refusal },
      RequestProbe: { kind: 'RequestProbe', rootKeyId: 'rk1', operation: 'pr1' },
      RecordProbe: { kind: 'RecordProbe', ...probe },
      RecordDenied: { kind: 'RecordDenied', ...denial },
      RecordIndeterminate: { kind: 'RecordIndeterminate', ...doubt },
      RecordRestored: {
        kind: 'RecordRestored',
        rootKeyId: 'rk1',
        callId: 'c4',
        providerRequestId: null,
      },
      RecordKeyVersion: { kind: 'RecordKeyVersion', rootKeyId: 'rk1', keyVersion: '2' },
    },
    table: {
      none: {
        RequestConnection: ['RootKeyConnectionRequested'],
        ConfirmConnection: 'not_found',
        RefuseConnection: 'not_found',
        RequestProbe: 'not_found',
        RecordProbe: 'not_found',
        RecordDenied: 'not_found',
        RecordIndeterminate: 'not_found',
        RecordRestored: 'not_found',
        RecordKeyVersion: 'not_found',
      },
      requested: {
        RequestConnection: 'already_exists',
        ConfirmConnection: ['RootKeyConnected'],
        RefuseConnection: ['RootKeyConnectionRefused'],
        RequestProbe: 'wrong_state',
        RecordProbe: 'wrong_state',
        RecordDenied: 'wrong_state',
        RecordIndeterminate: 'wrong_state',
        RecordRestored: 'wrong_state',
        RecordKeyVersion: 'wrong_state',
      },
      refused: {
        RequestConnection: ['RootKeyConnectionRequested'],
        ConfirmConnection: 'wrong_state',
        RefuseConnection: [],
        RequestProbe: 'wrong_state',
        RecordProbe: 'wrong_state',
        RecordDenied: 'wrong_state',
        RecordIndeterminate: 'wrong_state',
        RecordRestored: 'wrong_state',
        RecordKeyVersion: 'wrong_state',
      },
      enabled: {
        RequestConnection: 'already_exists',
        ConfirmConnection: [],
        RefuseConnection: 'wrong_state',
        RequestProbe: ['RootKeyProbeRequested'],
        RecordProbe: [],
        RecordDenied: ['RootKeyDenied'],
        RecordIndeterminate: ['RootKeyIndeterminate'],
        RecordRestored: [],
        RecordKeyVersion: ['RootKeyVersionObserved'],
      },
      denied: {
        RequestConnection: 'already_exists',
        ConfirmConnection: [],
        RefuseConnection: 'wrong_state',
        RequestProbe: ['RootKeyProbeRequested'],
        RecordProbe: [],
        RecordDenied: [],
        RecordIndeterminate: [],
        RecordRestored: ['RootKeyRestored'],
        RecordKeyVersion: ['RootKeyVersionObserved'],
      },
      indeterminate: {
        RequestConnection: 'already_exists',
        ConfirmConnection: [],
        RefuseConnection: 'wrong_state',
        RequestProbe: ['RootKeyProbeRequested'],
        RecordProbe: [],
        RecordDenied: ['RootKeyDenied'],
        RecordIndeterminate: [],
        RecordRestored: ['RootKeyRestored'],
        RecordKeyVersion: ['RootKeyVersionObserved'],
      },
      probing: {
        RequestConnection: 'already_exists',
        ConfirmConnection: [],
        RefuseConnection: 'wrong_state',
        RequestProbe: [],
        RecordProbe: ['RootKeyProbed'],
        RecordDenied: ['RootKeyDenied'],
        RecordIndeterminate: ['RootKeyIndeterminate'],
        RecordRestored: [],
        RecordKeyVersion: ['RootKeyVersionObserved'],
      },
    },
  });
});

describe('rootkeys', () => {
  const second = { ...request, rootKeyId: 'rk2', operation: 'op2' } as const;

  it.each([
    ['requested', [requested]],
    ['connected', [requested, connected]],
    ['denied', [requested, connected, denied]],
  ])('a second root key is refused while the first is %s', (_, history) =>
    given(rootkeysDecider, history)
      .when({ kind: 'RequestConnection', ...second })
      .refused('wrong_state'),
  );

  it('after a refusal another root key may be requested, and becomes primary', () => {
    const history: RootKeysEvent[] = [
      requested,
      refusedEvent,
      { type: 'RootKeyConnectionRequested', data: second },
    ];
    given(rootkeysDecider, history)
      .when({ kind: 'ConfirmConnection', ...proof, rootKeyId: 'rk2' })
      .then({
        type: 'RootKeyConnected',
        data: { ...proof, rootKeyId: 'rk2', primary: true, operation: 'op2' },
      });
  });

  it('the first connected root key is the primary one, with the operation that asked for it', () =>
    given(rootkeysDecider, [requested])
      .when({ kind: 'ConfirmConnection', ...proof })
      .then(connected));

  it('a connected root key is never re-pinned to another key', () =>
    given(rootkeysDecider, [requested, connected])
      .when({ kind: 'ConfirmConnection', ...proof, resolved: 'arn:other' })
      .refused('wrong_state'));

  it('a denial for another reason is recorded, one that proves nothing is not', () => {
    const state = given(rootkeysDecider, [requested, connected, denied]);
    const other = { ...denial, code: 'root_key_not_found' } as const;
    state.when({ kind: 'RecordDenied', ...other }).then({ type: 'RootKeyDenied', data: other });
    state.when({ kind: 'RecordIndeterminate', ...doubt }).thenNothing();
  });

  it('the same key version observed again is not recorded', () =>
    given(rootkeysDecider, [requested, connected])
      .when({ kind: 'RecordKeyVersion', rootKeyId: 'rk1', keyVersion: '1' })
      .thenNothing());

  it('no sequence gives a tenant two live root keys or a primary that is not connected', () => {
    const rootKeyId = fc.constantFrom('rk1', 'rk2');
    const operation = fc.constantFrom('o1', 'o2');
    const command: fc.Arbitrary<RootKeysCommand> = fc
      .tuple(rootKeyId, operation)
      .chain(([id, op]) =>
        fc.constantFrom<RootKeysCommand>(
          { kind: 'RequestConnection', ...request, rootKeyId: id, operation: op },
          { kind: 'ConfirmConnection', ...proof, rootKeyId: id },
          { kind: 'RefuseConnection', ...refusal, rootKeyId: id },
          { kind: 'RequestProbe', rootKeyId: id, operation: op },
          { kind: 'RecordProbe', ...probe, rootKeyId: id, operation: op },
          { kind: 'RecordDenied', ...denial, rootKeyId: id },
          { kind: 'RecordIndeterminate', ...doubt, rootKeyId: id },
          { kind: 'RecordRestored', rootKeyId: id, callId: 'c', providerRequestId: null },
        ),
      );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        let state = rootkeysDecider.initial;
        for (const each of commands) {
          const decision = rootkeysDecider.decide(each, state);
          if (decision.kind === 'refused') continue;
          for (const event of decision.events) state = rootkeysDecider.evolve(state, event);
          // Accepted, recorded, and said again: nothing more to record.
          const again = rootkeysDecider.decide(each, state);
          if (again.kind === 'accepted') expect(again.events).toEqual([]);
          if (state.status === 'none') continue;
          const entries = [...state.keys.values()];
          expect(entries.filter(({ status }) => status !== 'refused').length).toBeLessThan(2);
          const connectedOnes = entries.filter(isConnected).map((entry) => entry.rootKeyId);
          expect(connectedOnes).toEqual(state.primary === null ? [] : [state.primary]);
        }
      }),
    );
  });
});
