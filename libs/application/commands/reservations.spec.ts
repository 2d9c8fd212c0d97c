import type { CommandId } from '@kcm/kernel';
import { MemoryBlobs, SimulatedTime } from '@kcm/testing';
import { Reservations } from './reservations.js';

const DAY_MS = 86_400_000;
const KEY = '7c9e6679-7425-40de-944b-e07fc1f90ae7' as CommandId;
const OTHER = '0b8c8f3e-8d3a-5f0e-9a0b-1c2d3e4f5a6b' as CommandId;

describe('The reservation of an idempotency key', () => {
  let time: SimulatedTime;
  let directory: MemoryBlobs;
  let reservations: Reservations;
  beforeEach(() => {
    time = new SimulatedTime();
    directory = new MemoryBlobs();
    reservations = new Reservations(directory, time);
  });
  const reused = { code: 'idempotency_key_reused' };

  it('lets the same body pass again and no other, whichever comes first', async () => {
    await Promise.allSettled(['a', 'b'].map((body) => reservations.reserve(KEY, body)));
    await reservations.reserve(KEY, 'a');
    await expect(reservations.reserve(KEY, 'b')).rejects.toMatchObject(reused);
    await reservations.reserve(OTHER, 'b');
  });

  it('holds for a day at least, over midnight and a restart', async () => {
    await reservations.reserve(KEY, 'a');
    time.jumpWall(DAY_MS - 1);
    await reservations.sweep();
    const restarted = new Reservations(directory, time);
    await expect(restarted.reserve(KEY, 'b')).rejects.toMatchObject(reused);
    await restarted.reserve(KEY, 'a');
  });

  it('is forgotten after two days, and takes no room any more', async () => {
    await reservations.reserve(KEY, 'a');
    await reservations.sweep();
    time.jumpWall(2 * DAY_MS);
    await reservations.reserve(OTHER, 'b');
    await reservations.sweep();
    expect([...directory.blobs.keys()]).toEqual([expect.stringContaining(OTHER)]);
    await reservations.reserve(KEY, 'b');
  });
});
