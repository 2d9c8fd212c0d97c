import { SimulatedTime } from '@kcm/testing';
import { KcmError } from './errors.js';
import { systemRandom } from './random.js';
import { type Fate, Recording } from './recording.js';

describe('An act that took effect before its record', () => {
  const time = new SimulatedTime();
  let told: string[];
  let recording: Recording;
  let trouble: Error | null;
  let recorded: string[];

  const act = (name: string) => ({ act: name, tenant: 'acme', actor: 'sub-1', commandId: 'c' });
  const add = (key: string, name: string) =>
    recording.add(key, act(name), async () => {
      if (trouble !== null) throw trouble;
      recorded.push(name);
    });

  beforeEach(() => {
    told = [];
    recorded = [];
    trouble = null;
    recording = new Recording({
      scheduler: time,
      random: systemRandom,
      tell: (fate: Fate, of) => told.push(`${of.act} ${fate}`),
    });
  });

  afterEach(() => recording.drop());

  it('is recorded once the ledger can, in order, and told when it waited', async () => {
    trouble = new KcmError('ledger_unavailable', 'full');
    add('a', 'first');
    add('a', 'second');
    await time.advance(600_000);
    expect(recording.pending).toBe(2);
    expect(recording.has('a')).toBe(true);
    expect(told).toEqual(['first waits']);
    trouble = null;
    await time.advance(5_000);
    expect(recorded).toEqual(['first', 'second']);
    expect(told).toEqual(['first waits', 'first recorded']);
    expect([recording.pending, recording.has('a')]).toEqual([0, false]);
  });

  it.each(['ledger_unavailable', 'revision_conflict', 'sealed', 'internal'] as const)(
    'is tried again after %s, which says nothing about it',
    async (code) => {
      trouble = new KcmError(code, 'not now');
      add('a', 'first');
      await time.advance(60_000);
      expect(recording.pending).toBe(1);
    },
  );

  it('ends with a refusal, and what comes after it is recorded', async () => {
    trouble = new KcmError('tenant_killed', 'no');
    add('a', 'first');
    await time.advance(0);
    trouble = null;
    add('a', 'second');
    await time.advance(0);
    expect(told).toEqual(['first refused']);
    expect(recorded).toEqual(['second']);
  });

  it('is tried at once when something says that it can be', async () => {
    trouble = new KcmError('ledger_unavailable', 'full');
    add('a', 'first');
    await time.advance(600_000);
    trouble = null;
    recording.now('a');
    await time.advance(0);
    expect(recorded).toEqual(['first']);
  });

  it('is tried a last time when the process ends, and told when it is lost', async () => {
    trouble = new KcmError('ledger_unavailable', 'full');
    add('a', 'first');
    await time.advance(60_000);
    trouble = null;
    await recording.end(1_000);
    expect(recorded).toEqual(['first']);
    add('a', 'too late');
    expect(told.slice(1)).toEqual(['first recorded', 'too late lost']);
  });

  it('does not keep the process when the ledger does not answer', async () => {
    recording.add('a', act('hangs'), () => new Promise(() => {}));
    const ended = recording.end(1_000);
    await time.advance(1_000);
    await ended;
    expect(told).toEqual(['hangs lost']);
    expect(recording.pending).toBe(0);
  });
});
