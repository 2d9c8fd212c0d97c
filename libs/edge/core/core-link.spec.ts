import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@kcm/kernel';
import { KmipPeer } from '@kcm/testing/edge';
import { TestAuthority } from '@kcm/testing/tls';
import { startEdge } from '../edge.js';

const HOUR_MS = 3_600_000;

describe('A session that ends at once', () => {
  it('is a failure like any other, whatever the wall clock says that it lasted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kcm-link-'));
    const authority = await TestAuthority.create();
    const certificate = await authority.edge('e1');
    const peer = await KmipPeer.listen(authority, certificate.certificate);
    const closing = setInterval(() => {
      for (const push of peer.pushes.splice(0)) push.close();
    }, 1);
    let ahead = 0;
    const clock: Clock = {
      monotonicMs: () => systemClock.monotonicMs(),
      bootMs: () => systemClock.bootMs(),
      wallMs: () => systemClock.wallMs() + (ahead += HOUR_MS),
    };
    const connected: number[] = [];
    const edge = await startEdge({
      coreHost: '127.0.0.1',
      corePort: peer.port,
      ...certificate,
      edge: 'e1',
      region: 'local',
      services: ['billing'],
      socketDir: join(folder, 'edge'),
      clock,
      // As long as it may be: 100, 200 and 400 ms.
      random: { bytes: (length) => Buffer.alloc(length, 0xff) },
      log: ({ event }) => {
        if (event === 'core-connected') connected.push(performance.now());
      },
    });
    try {
      while (connected.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(connected[3]! - connected[0]!).toBeGreaterThan(650);
    } finally {
      clearInterval(closing);
      await edge.stop();
      await peer.close();
      rmSync(folder, { recursive: true });
    }
  });
});
