import { jest } from '@jest/globals';
import { stopOnSignal } from './stop-signals.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const before = new Map(SIGNALS.map((name) => [name, process.listeners(name)]));
let ended: number[];
let nowMs: number;

beforeEach(() => {
  ended = [];
  nowMs = 0;
  jest.spyOn(process, 'exit').mockImplementation((code) => void ended.push(Number(code)) as never);
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  jest.restoreAllMocks();
  for (const name of SIGNALS)
    for (const listener of process.listeners(name))
      if (!before.get(name)!.includes(listener)) process.off(name, listener);
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('A signal to stop', () => {
  it('that arrives again by way of a parent is the same one: stopping is finished', async () => {
    let finish = (): void => undefined;
    const stop = jest.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    stopOnSignal(stop);
    process.emit('SIGINT');
    nowMs = 50;
    process.emit('SIGINT');
    process.emit('SIGTERM');
    await turn();
    expect(ended).toEqual([]);
    finish();
    await turn();
    expect(ended).toEqual([0]);
    expect(stop).toHaveBeenCalledTimes(1);
  });

  it('given again after a second ends what does not stop', () => {
    stopOnSignal(() => new Promise(() => undefined));
    process.emit('SIGTERM');
    nowMs = 1_001;
    process.emit('SIGTERM');
    expect(ended).toEqual([1]);
  });

  it('ends with 1, and says why, when stopping fails', async () => {
    const said: unknown[] = [];
    stopOnSignal(
      () => Promise.reject(new Error('the disk')),
      (error) => said.push(error),
    );
    process.emit('SIGTERM');
    await turn();
    expect(ended).toEqual([1]);
    expect(String(said[0])).toContain('the disk');
  });
});
