import { createSecretKey, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { exposedGc } from '@kcm/kernel';
import { GcWitness, type Witnessed } from './gc-witness.js';

describe('Handles that were let go of', () => {
  const gc = exposedGc()!;
  let collections = 0;
  const witness = new GcWitness(() => {
    collections += 1;
    gc();
  });
  const group = (): Witnessed => {
    const made: Witnessed = { alive: 0 };
    witness.watch(createSecretKey(randomBytes(32)), made);
    return made;
  };

  it('are collected a moment later, all in one, though nobody waits for a word', async () => {
    const groups = [group(), group(), group()];
    for (const dropped of groups) witness.dropped(dropped);
    witness.dropped({ alive: 0 });
    expect(collections).toBe(0);
    await sleep(1_500);
    expect(collections).toBe(1);
    expect(groups.map(({ alive }) => alive)).toEqual([0, 0, 0]);
  });

  it('are collected seldom: the next ones wait for their turn', async () => {
    witness.dropped(group());
    await sleep(1_500);
    expect(collections).toBe(1);
  });
});
