import { acmeStory, foldProjection, projectionContract } from '@kcm/testing';
import { OPERATIONAL, parseStream } from '@kcm/kernel';
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
