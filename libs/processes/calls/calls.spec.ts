import type { CallsEvent } from '@kcm/domain';
import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { calls } from './index.js';

const started = (boot: string): CallsEvent => ({
  type: 'ProcessStarted',
  data: { boot, kind: 'core', version: '1' },
});
const intended = (callId: string): CallsEvent => ({
  type: 'KeystoreCallIntended',
  data: { callId, rootKeyId: 'rk1', operation: 'unwrap', purpose: 'lease' },
});
const succeeded = (callId: string): CallsEvent => ({
  type: 'KeystoreCallSucceeded',
  data: { callId, providerRequestId: null },
});
const { calls: first, nextCalls: second } = acmeStreams;
const todo = (story: Story) => new ProcessFold(calls).add(story.events).todo('local');

describe('process calls', () => {
  processContract(calls);

  it('leaves the calls of the running boot alone', () => {
    const story = new Story().note(first, [started('1')]).note(first, [intended('c1')]);
    expect(todo(story)).toEqual([]);
  });

  it('closes what an earlier boot left open, and nothing that it settled', () => {
    const story = new Story()
      .note(first, [started('1')])
      .note(first, [intended('c1'), intended('c2'), succeeded('c1'), intended('c3')])
      .note(second, [started('2')])
      .note(second, [intended('c4')]);
    expect(todo(story)).toEqual([
      {
        id: `close:${first}`,
        step: { kind: 'closeCalls', stream: first, callIds: ['c2', 'c3'] },
      },
    ]);
  });

  it('has nothing to do once the calls are closed', () => {
    const story = new Story()
      .note(first, [started('1')])
      .note(first, [intended('c1')])
      .note(second, [started('2')])
      .note(first, [{ type: 'KeystoreCallOutcomeUnknown', data: { callId: 'c1' } }]);
    expect(todo(story)).toEqual([]);
    expect(new ProcessFold(calls).add(story.events).state('local').open).toEqual({});
  });
});
