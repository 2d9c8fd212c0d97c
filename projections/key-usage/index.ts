import { type Recorded, USES } from '@kcm/domain';
import type { Projection } from '@kcm/read-models';
import { docKey } from '../doc-key.js';

type Reported = Extract<Recorded, { type: 'UsageReported' }>;

/** What was done with one version of an L3, as its holders told. */
export interface KeyUsageDoc {
  readonly tenant: string;
  readonly key: string;
  readonly version: number;
  /** Records and data keys protected by it. */
  readonly protected: number;
  /** Of those, moved to a newer version since. */
  readonly moved: number;
  /** Records and data keys opened. */
  readonly opened: number;
  /** Data keys given out in the clear. */
  readonly exported: number;
  readonly lastReportAt: string | null;
}

const NO_KEY = '-';

function evolve(doc: KeyUsageDoc, event: Reported): KeyUsageDoc {
  const lastReportAt = event.meta.occurredAt;
  return event.data.entries
    .filter(
      ({ tenant, key, version }) =>
        tenant === doc.tenant && key === doc.key && version === doc.version,
    )
    .reduce<KeyUsageDoc>(
      (now, { operation, ok, fresh = 0 }) => ({
        ...now,
        protected: now.protected + (USES[operation].protects ? ok : 0),
        moved: now.moved + fresh,
        opened: now.opened + (USES[operation].opens ? ok : 0),
        exported: now.exported + (USES[operation].exports ? ok : 0),
      }),
      { ...doc, lastReportAt },
    );
}

/** Uses of each version of each L3, counted from reports. Key: tenant/keyId/version. */
export const keyUsage: Projection<KeyUsageDoc, Reported> = {
  name: 'key-usage',
  version: 1,
  handles: ['UsageReported'],
  keys: ({ data }) => [
    ...new Set(
      data.entries
        .filter(({ key }) => key !== NO_KEY)
        .map(({ tenant, key, version }) => docKey(tenant, key, String(version))),
    ),
  ],
  initial(id) {
    const [tenant = '', key = '', version = '0'] = id.split('/');
    return {
      tenant,
      key,
      version: Number(version),
      protected: 0,
      moved: 0,
      opened: 0,
      exported: 0,
      lastReportAt: null,
    };
  },
  evolve,
  indexes: [{ fields: ['tenant'] }, { fields: ['tenant', 'key'] }],
};
