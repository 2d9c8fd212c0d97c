import { acmeStory, foldProjection, projectionContract } from '@kcm/testing';
import { events } from './index.js';

describe('projection events', () => {
  projectionContract(events);

  it('holds each event of a tenant’s lifecycle once, in ledger order, and nothing else', () => {
    const story = acmeStory().events;
    const owned = story.filter(({ stream }) =>
      /^(tenant|access|rootkeys|key|revocation)-/.test(stream),
    );
    const others = new Set(story.map(({ type }) => type));
    expect(owned.length).toBeGreaterThan(40);
    expect(others).toContain('KeystoreCallIntended');
    for (const tenant of new Set(owned.map(({ stream }) => /-(\w+)/.exec(stream)![1]!))) {
      const docs = Object.values(foldProjection(events, story)).filter(
        (doc) => doc?.tenant === tenant,
      );
      const mine = owned.filter(({ stream }) => new RegExp(`-${tenant}(\\.|$)`).test(stream));
      expect(docs.map((doc) => doc?.id)).toEqual(mine.map(({ id }) => id));
    }
  });

  it('holds neither who caused an event nor a fingerprint of what was sent', () => {
    const story = acmeStory().events;
    const text = JSON.stringify(
      Object.values(foldProjection(events, story)).map((doc) => ({ ...doc, data: null })),
    );
    for (const { meta } of story.filter(({ meta }) => meta.fingerprint !== ''))
      expect(text).not.toContain(meta.fingerprint);
    expect(text).not.toMatch(/"actor"|"fingerprint"|"commandId"/);
  });
});
