import type { Answer } from '../api.js';
import type { Printer } from '../print.js';
import { duration } from '../print.js';
import type { World } from '../world.js';

interface Status {
  readonly sealed: boolean;
  readonly provided: number;
  readonly threshold: number;
}

/** The region starts closed; two of three people open it. @returns the shares */
export async function seal(world: World, out: Printer): Promise<readonly string[]> {
  const { server } = world;
  // Another region, for a share that is real and not ours.
  const other = world.region('elsewhere', 'other', 'default');
  await Promise.all([server.start(), other.start()]);
  const started = await server.operator().get('/v1/tenants');
  out.check(started.refused?.code === 'sealed', 'The server starts sealed: it answers 503 sealed.');

  out.command('kcm init --shares 3 --threshold 2');
  const init = { shares: 3, threshold: 2 };
  const { shares } = await server
    .operator()
    .must<{ shares: readonly string[] }>('POST', '/v1/sys/init', init);
  out.check(shares.length === 3, 'Three shares, shown once and kept by us nowhere; any two open.');
  const foreign = await other
    .operator()
    .must<{ shares: readonly string[] }>('POST', '/v1/sys/init', init);
  await other.stop();

  const provide = (share: string): Promise<Answer<Status>> =>
    server.operator().post<Status>('/v1/sys/unseal', { share });
  const refused = await provide(foreign.shares[0] ?? '');
  out.check(
    refused.refused?.code === 'share_refused',
    `A foreign share is refused by name: “${refused.refused?.detail}”`,
  );
  const first = await provide(shares[0] ?? '');
  const still = await server.operator().get('/v1/tenants');
  out.check(
    first.body.sealed && first.body.provided === 1 && still.refused?.code === 'sealed',
    'One share of two opens nothing: still sealed.',
  );
  const again = await provide(shares[0] ?? '');
  out.check(
    again.refused?.code === 'share_refused',
    `The same one again does not count twice: “${again.refused?.detail}”`,
  );
  const start = performance.now();
  const second = await provide(shares[1] ?? '');
  await server.serving();
  const ms = out.measured('unsealMs', performance.now() - start);
  out.check(!second.body.sealed, `The second share opens it: unsealed in ${duration(ms)}.`);
  return shares.slice(0, 2);
}
