import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './child.js';

export interface Engines {
  /** What each of our processes is told of them. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const service = async <T>(name: string): Promise<T> =>
  (await import(pathToFileURL(join(ROOT, 'scripts', 'services', `${name}.mjs`)).href)) as T;

/** The servers of a region whose processes run apart, each a process of its own, all in memory. */
export async function startEngines(): Promise<Engines> {
  const { startEventStoreDouble } =
    await service<typeof import('../scripts/services/eventstoredb-double.mjs')>(
      'eventstoredb-double',
    );
  const { startMongoStandin } =
    await service<typeof import('../scripts/services/mongo-standin.mjs')>('mongo-standin');
  const [ledger, mongo] = await Promise.all([startEventStoreDouble(), startMongoStandin()]);
  const at = (database: string) => `mongodb://${mongo.address}/${database}`;
  return {
    env: {
      KCM_LEDGER: ledger.url,
      KCM_READ_MODELS: at('models'),
      KCM_VAULT: at('vault'),
      KCM_DIRECTORY: at('directory'),
    },
    stop: async () => {
      await Promise.all([ledger.stop(), mongo.stop()]);
    },
  };
}
