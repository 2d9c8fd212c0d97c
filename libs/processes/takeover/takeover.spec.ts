import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { takeover } from './index.js';

const todo = (story: Story) => new ProcessFold(takeover).add(story.events).todo('local');

describe('process takeover', () => {
  processContract(takeover);

  it('each takeover that is told of stands until what the Edge held is marked', () => {
    const data = { since: '2030-01-01T00:00:00.000Z', processing: 'refused' } as const;
    const told = (operation: string) =>
      ({ type: 'EdgeCompromised', data: { ...data, operation } }) as const;
    const story = new Story().note(acmeStreams.edge, [told('o1')]);
    const until = story.events[0]!.meta.occurredAt;
    expect(todo(story)).toEqual([
      {
        id: 'takeover:o1',
        step: { kind: 'compromiseHeld', edge: 'e1', until, operation: 'o1', ...data },
      },
    ]);
    story.note(acmeStreams.edge, [
      told('o2'),
      { type: 'EdgeExposureRecorded', data: { operation: 'o1', tenants: 1, keys: 1, versions: 1 } },
    ]);
    expect(todo(story).map(({ id }) => id)).toEqual(['takeover:o2']);
  });
});
