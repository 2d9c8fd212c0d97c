import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface Material {
  readonly erasureKeys: number;
  readonly blobs: number;
}

/** What a tenant has on disk now, read beside the running server. */
export function materialOf(dataDir: string, tenant: string): Material {
  const count = (store: string, ...prefixes: readonly string[]): number => {
    const db = new DatabaseSync(join(dataDir, `${store}.db`), { readOnly: true, timeout: 5_000 });
    try {
      const sql = 'SELECT count(*) AS n FROM blobs WHERE key = ?1 OR substr(key, 1, ?2) = ?3';
      return prefixes
        .map((path) => db.prepare(sql).get(path, path.length + 1, `${path}/`) as { n: number })
        .reduce((sum, { n }) => sum + n, 0);
    } finally {
      db.close();
    }
  };
  return {
    erasureKeys: count('erasure', `tek/${tenant}`),
    blobs: count('vault', `l2/${tenant}`, `l3/${tenant}`, `cred/${tenant}`),
  };
}
