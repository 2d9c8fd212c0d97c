import type { ProcessHost, ProjectionRunner } from '@kcm/application';
import type { SealService } from '@kcm/custody';
import type { Health, OidcAuthenticator } from '@kcm/platform';

/** What can be wrong with this set-up, each part asked when somebody looks. */
export function watchHealth(
  health: Health,
  parts: {
    readonly seals: SealService;
    readonly runner: ProjectionRunner;
    readonly host: ProcessHost;
    readonly oidc: OidcAuthenticator | null;
  },
): void {
  health.add(() =>
    parts.seals.sealed ? [{ part: 'seal', level: 'down', detail: 'the region is sealed' }] : [],
  );
  health.add(() =>
    [...parts.runner.health(), ...parts.host.health()]
      .filter(({ state }) => state === 'failed' || state === 'waiting')
      .map(({ name, state, detail }) => ({
        part: name,
        level: 'degraded' as const,
        detail: `${state}: ${detail ?? 'no reason known'}`,
      })),
  );
  health.add(() => parts.oidc?.health() ?? []);
  health.add(() => [
    {
      part: 'erasure-store',
      level: 'degraded',
      detail: 'one copy only: losing erasure.db loses every tenant',
    },
  ]);
}
