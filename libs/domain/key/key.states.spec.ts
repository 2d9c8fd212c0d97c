import { given } from '@kcm/testing';
import type { KeyCommand } from './key.commands.js';
import { keyDecider } from './key.decide.js';
import type { KeyEvent } from './key.events.js';
import { versionOf } from './key.state.js';
import {
  KEY_MATRIX,
  keyRefusal,
  OPERATIONS,
  STANDINGS,
  standingOf,
  type KeyOperation,
  type Standing,
} from './key.states.js';

const wrapped = (version: number) => ({
  version,
  wrappedBy: { id: 'l2-1', version: '1' },
  digest: `d${version}`,
  commitment: `c${version}`,
});
const since = '2031-05-01T00:00:00.000Z';
const compromised = (processing: 'allowed' | 'refused'): KeyEvent => ({
  type: 'KeyCompromised',
  data: { versions: [2], since, processing },
});
/** Version 2 of a key, brought to each standing by events alone; version 1 is deactivated. */
const born: readonly KeyEvent[] = [
  { type: 'KeyCreated', data: { level: 'L3', service: 'billing', parent: 'l2-1' } },
  { type: 'KeyVersionWrapped', data: wrapped(1) },
];
const prepared: readonly KeyEvent[] = [
  ...born,
  { type: 'KeyVersionWrapped', data: { ...wrapped(2), preActive: true } },
  { type: 'KeyVersionPrepared', data: { version: 2, operation: 'op' } },
];
const active: readonly KeyEvent[] = [
  ...prepared,
  { type: 'KeyVersionActivated', data: { version: 2 } },
  { type: 'KeyRotated', data: { from: 1, to: 2, operation: 'op' } },
  { type: 'KeyVersionDeactivated', data: { version: 1 } },
];
const deactivated: readonly KeyEvent[] = [
  ...active,
  { type: 'KeyVersionDeactivated', data: { version: 2 } },
];
const destroyed: KeyEvent = { type: 'KeyVersionDestroyed', data: { version: 2 } };
const HISTORIES: { readonly [S in Standing]: readonly KeyEvent[] } = {
  'pre-active': prepared,
  active,
  deactivated,
  compromised: [...active, compromised('refused')],
  'compromised-processing': [...active, compromised('allowed')],
  archived: [...deactivated, { type: 'KeyVersionArchived', data: { version: 2 } }],
  destroyed: [...deactivated, destroyed],
  'destroyed-compromised': [...active, compromised('refused'), destroyed],
};
const ACTS: { readonly [O in KeyOperation]?: readonly [KeyCommand, KeyEvent['type']] } = {
  activate: [{ kind: 'ActivateVersion', version: 2, operation: 'o2' }, 'KeyVersionActivated'],
  deactivate: [{ kind: 'DeactivateVersion', version: 2 }, 'KeyVersionDeactivated'],
  compromise: [
    {
      kind: 'CompromiseVersions',
      versions: [2],
      since: '2031-04-01T00:00:00.000Z',
      processing: 'refused',
    },
    'KeyCompromised',
  ],
  archive: [{ kind: 'ArchiveVersion', version: 2 }, 'KeyVersionArchived'],
  recover: [{ kind: 'RecoverVersion', version: 2 }, 'KeyVersionRecovered'],
  destroy: [
    { kind: 'RequestDestruction', version: 2, operation: 'o3', cause: 'command' },
    'KeyDestructionRequested',
  ],
};

describe('the matrix of states', () => {
  it.each(STANDINGS)('%s is where its history leads', (standing) => {
    const { state } = given(keyDecider, HISTORIES[standing]);
    if (state.status === 'absent') throw new Error('no key');
    expect(standingOf(versionOf(state, 2)!)).toBe(standing);
  });

  const cells = STANDINGS.flatMap((standing) =>
    OPERATIONS.filter((operation) => ACTS[operation] !== undefined).map(
      (operation) => [standing, operation, KEY_MATRIX[standing][operation]] as const,
    ),
  );
  it.each(cells)('%s, %s: %s, as the decider does', (standing, operation, cell) => {
    const [command, event] = ACTS[operation]!;
    const asked = given(keyDecider, HISTORIES[standing]).when(command);
    if (cell === 'done') return asked.thenNothing();
    if (cell !== 'yes') return asked.refused(cell);
    const { state } = given(keyDecider, HISTORIES[standing]);
    const decision = keyDecider.decide(command, state);
    if (decision.kind === 'refused') throw new Error(decision.detail);
    expect(decision.events[0]!.type).toBe(event);
  });

  it('only what is active protects; nothing comes back from destruction', () => {
    const may = (operation: KeyOperation) =>
      STANDINGS.filter((standing) => KEY_MATRIX[standing][operation] === 'yes');
    expect(may('protect')).toEqual(['active']);
    expect(may('process')).toEqual(['active', 'deactivated', 'compromised-processing']);
    for (const operation of OPERATIONS)
      expect(['key_destroyed', 'done', 'yes']).toContain(KEY_MATRIX.destroyed[operation]);
    expect(keyRefusal({ state: 'destroyed' }, 'process')).toBe('key_destroyed');
  });

  it('no act leads out of destruction, nor from compromised to anything sound', () => {
    for (const standing of STANDINGS)
      for (const operation of OPERATIONS) {
        const act = ACTS[operation];
        if (act === undefined) continue;
        const { state } = given(keyDecider, HISTORIES[standing]);
        const decision = keyDecider.decide(act[0], state);
        if (decision.kind === 'refused') continue;
        const after = decision.events.reduce((now, event) => keyDecider.evolve(now, event), state);
        if (after.status === 'absent') throw new Error('no key');
        const now = versionOf(after, 2)!.state;
        if (standing.startsWith('destroyed')) expect(now).toMatch(/^destroyed/);
        if (standing.includes('compromised')) expect(now).toMatch(/compromised$/);
      }
  });

  it('what is archived is not recovered while its destruction is under way', () =>
    given(keyDecider, [
      ...HISTORIES.archived,
      {
        type: 'KeyDestructionRequested',
        data: { version: 2, operation: 'd1', cause: 'command', acceptUnreported: true },
      },
    ])
      .when({ kind: 'RecoverVersion', version: 2 })
      .refused('wrong_state'));
});
