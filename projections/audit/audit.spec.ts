import { acmeStory, foldProjection, projectionContract, Story } from '@kcm/testing';
import { OPERATIONAL, parseStream, streamOf } from '@kcm/kernel';
import { audit } from './index.js';

describe('projection audit', () => {
  projectionContract(audit);

  it('holds each command once, however many events it recorded', () => {
    const { events } = acmeStory();
    const decided = events.filter(({ stream }) => !OPERATIONAL.has(parseStream(stream).category));
    const commands = new Set(decided.map(({ meta }) => meta.commandId));
    expect(decided.length).toBeGreaterThan(commands.size);
    const items = Object.values(foldProjection(audit, events));
    expect(items.filter((item) => item?.outcome === 'accepted')).toHaveLength(commands.size);
  });

  it('holds that a version was deactivated where that is the command, not what follows from one', () => {
    const wrapped = { wrappedBy: { id: 'l2-1', version: '1' }, digest: 'd', commitment: 'c' };
    const operation = 'op-1';
    const { events } = (
      [
        { kind: 'CreateKey', level: 'L3', service: 'billing', parent: 'l2-1', ...wrapped },
        { kind: 'RequestRotation', operation },
        { kind: 'CompleteRotation', from: 1, operation, ...wrapped },
        { kind: 'DeactivateVersion', version: null },
      ] as const
    ).reduce(
      (story, command) => story.run<'key'>(streamOf('key', 'acme', 'l3-1'), command),
      new Story(),
    );
    expect(events.filter(({ type }) => type === 'KeyVersionDeactivated')).toHaveLength(2);
    const actions = Object.values(foldProjection(audit, events)).map((item) => item?.action);
    expect(actions).toEqual([
      'KeyCreated',
      'KeyRotationRequested',
      'KeyRotated',
      'KeyVersionDeactivated',
    ]);
  });

  it('holds a keystore call once, from its intent to its outcome', () => {
    const { events } = acmeStory();
    const calls = events.flatMap((event) =>
      event.type === 'KeystoreCallIntended' ? [event.data.callId] : [],
    );
    const items = Object.entries(foldProjection(audit, events)).filter(([key]) =>
      key.startsWith('call/'),
    );
    expect(items.map(([key]) => key)).toEqual(calls.map((id) => `call/${id}`));
    const [, first] = items[0]!;
    expect(first).toMatchObject({ outcome: 'succeeded', callId: 'c1', tenant: 'acme' });
    const intended = Object.values(
      foldProjection(
        audit,
        events.filter(({ type }) => type === 'KeystoreCallIntended'),
      ),
    );
    expect(intended.map((item) => item?.outcome)).toEqual(calls.map(() => 'pending'));
  });
});
