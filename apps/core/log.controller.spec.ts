import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SealService } from '@kcm/custody';
import { type EventId, type LedgerId, type Position, systemClock } from '@kcm/kernel';
import type { LogStore } from '@kcm/origin-log';
import { openSqliteLogStore } from '@kcm/origin-log/sqlite';
import { type Completed, GrowingTree, leafHash, nodesOf, parseTilePath } from '@kcm/transparency';
import type { FastifyReply } from 'fastify';
import { LogController } from './log.controller.js';

const SIZE = 600;
const state = {
  region: 'local',
  ledger: 'l-1' as LedgerId,
  position: '0000000000000001' as Position,
  size: SIZE,
};

describe('A tile of the log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-tiles-'));
  const nodes: Completed[] = [];
  let store: LogStore;
  let controller: LogController;
  const headers = new Map<string, string>();
  const reply = {
    type: (value: string) => headers.set('content-type', value),
    header: (name: string, value: string) => headers.set(name.toLowerCase(), value),
  } as unknown as FastifyReply;
  const tile = (rest: string, region = 'local') => controller.tile(region, rest, null, reply);

  beforeAll(async () => {
    store = await openSqliteLogStore({ file: join(folder, 'log.db') });
    const tree = new GrowingTree();
    const entries = Array.from({ length: SIZE }, (_, seq) => {
      nodes.push(...tree.append(leafHash(Buffer.from(String(seq)))));
      return { seq, event: `event-${seq}` as EventId, tenant: null };
    });
    await store.append(null, { entries, nodes, state });
    // Tiles need no key.
    controller = new LogController(store, {} as SealService, 'local', systemClock);
  });
  beforeEach(() => headers.clear());
  afterAll(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it.each(['0/000', '0/001', '0/002.p/88', '0/000.p/1', '0/002.p/7', '1/000.p/2', '1/000.p/1'])(
    '%s holds the hashes of its nodes, and nobody need ask again for a full one',
    async (rest) => {
      const wanted = nodesOf(parseTilePath(`tile/${rest}`)!).map(
        ({ level, index }) =>
          nodes.find((node) => node.level === level && node.index === index)!.hash,
      );
      expect(await tile(rest)).toEqual(Buffer.concat(wanted));
      expect(headers.get('content-type')).toBe('application/octet-stream');
      const kept = rest.includes('.p/') ? undefined : 'private, max-age=31536000, immutable';
      expect(headers.get('cache-control')).toBe(kept);
    },
  );

  it.each(['0/002', '0/002.p/89', '0/003.p/1', '1/000', '1/000.p/3', '2/000.p/1', '63/000'])(
    '%s is not there yet',
    async (rest) => {
      await expect(tile(rest)).rejects.toMatchObject({ code: 'not_found' });
      expect(headers.size).toBe(0);
    },
  );

  it.each(['', '0', '0/0', '0/000.p/256', '0/000.p/0', '0/x000/000', '64/000', 'entries/000'])(
    '“%s” is no way to write one',
    async (rest) => {
      await expect(tile(rest)).rejects.toMatchObject({ code: 'not_found' });
    },
  );

  it('of another region is not found', async () => {
    await expect(tile('0/000', 'eu')).rejects.toMatchObject({ code: 'not_found' });
  });
});
