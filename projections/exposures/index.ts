import type { ExposedVersion, Recorded } from '@kcm/domain';
import { parseStream } from '@kcm/kernel';
import type { Projection } from '@kcm/read-models';
import { docKey } from '../doc-key.js';

export interface ExposureDoc extends ExposedVersion {
  readonly tenant: string;
  readonly key: string;
  readonly by: string;
  readonly exposure: string;
  readonly recordedAt: string;
}
type Exposed = Extract<Recorded, { type: 'KeyExposureRecorded' }>;

const keyOf = ({ stream, data }: Exposed, version: number) => {
  const { owner, id } = parseStream(stream);
  return docKey(owner, id ?? '', version, data.exposure);
};

/**
 * What may have been exposed, by version of a key and who had it. Key: tenant/keyId/version/id of
 * what began it.
 */
export const exposures: Projection<ExposureDoc | null, Exposed> = {
  name: 'exposures',
  version: 1,
  handles: ['KeyExposureRecorded'],
  keys: (event) => event.data.versions.map(({ version }) => keyOf(event, version)),
  initial: () => null,
  evolve(doc, event, key) {
    const { stream, data, meta } = event;
    const { owner, id } = parseStream(stream);
    const { versions, ...who } = data;
    const exposed = versions.find(({ version }) => keyOf(event, version) === key);
    if (exposed === undefined) return doc;
    return { tenant: owner, key: id ?? '', ...who, ...exposed, recordedAt: meta.occurredAt };
  },
  indexes: [{ fields: ['tenant', 'key'] }, { fields: ['by'] }],
};
