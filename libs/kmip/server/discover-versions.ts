import { VERSIONS, type RequestOf, type ResponseOf } from '../codec/index.js';

/**
 * KMIP 1.4 §4.26: those of the client's versions that are spoken here, newest first; none asked:
 * all.
 */
export function discoverVersions({
  versions,
}: RequestOf<'DiscoverVersions'>): ResponseOf<'DiscoverVersions'> {
  if (versions.length === 0) return { versions: VERSIONS };
  return {
    versions: VERSIONS.filter(({ major, minor }) =>
      versions.some((asked) => asked.major === major && asked.minor === minor),
    ),
  };
}
