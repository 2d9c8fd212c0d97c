import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import { startMongoStandin } from '../../scripts/services/mongo-standin.mjs';

const DUMP = fileURLToPath(new URL('mongo-dump.mjs', import.meta.url));
/** An empty cache is filled from registries, which may hiccup. */
const BRING_MS_MAX = 300_000;
const URL_PARTS = /^(mongodb(?:\+srv)?:\/\/(?:([^@/]*)@)?[^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/;

export interface MongoServer {
  readonly name: string;
  /** Where it is, without a database; started for the first one that asks. */
  url(): Promise<string>;
  stop(): Promise<void>;
}

/** The stand-in, and the server of MONGODB_URL where that is set. */
export function mongoServers(): readonly MongoServer[] {
  let standin: ReturnType<typeof startMongoStandin> | null = null;
  const servers: MongoServer[] = [
    {
      name: 'a stand-in for MongoDB',
      url: async () => {
        standin ??= startMongoStandin();
        return `mongodb://${(await standin).address}`;
      },
      stop: async () => (await standin)?.stop(),
    },
  ];
  const real = process.env['MONGODB_URL'];
  if (real !== undefined && real !== '')
    servers.push({ name: 'MongoDB at MONGODB_URL', url: async () => real, stop: async () => {} });
  return servers;
}

/** As `mongoServers`, for a whole spec: started, and brought before, when its first test begins. */
export function mongoServersOfSpec(): readonly MongoServer[] {
  const servers = mongoServers();
  beforeAll(async () => {
    for (const server of servers) await server.url();
  }, BRING_MS_MAX);
  afterAll(async () => {
    for (const server of servers) await server.stop();
  });
  return servers;
}

/** A database of its own at a server, which is dropped at the end. */
export class MongoDatabase {
  private constructor(
    readonly url: string,
    readonly name: string,
  ) {}

  static async at(server: MongoServer): Promise<MongoDatabase> {
    const name = `kcm_test_${randomBytes(6).toString('hex')}`;
    return new MongoDatabase(withDatabase(await server.url(), name), name);
  }

  async with<T>(use: (db: ReturnType<MongoClient['db']>) => Promise<T>): Promise<T> {
    const client = new MongoClient(this.url);
    try {
      return await use(client.db(this.name));
    } finally {
      await client.close();
    }
  }

  async collections(): Promise<readonly string[]> {
    const all = await this.with((db) => db.listCollections({}, { nameOnly: true }).toArray());
    return all.map(({ name }) => name).sort();
  }

  /** Every document that the server gives of it, as bytes. What lies on its disk is not seen. */
  dump(): Buffer {
    return execFileSync(process.execPath, [DUMP, this.url], { maxBuffer: 2 ** 28 });
  }

  async drop(): Promise<void> {
    await this.with((db) => db.dropDatabase());
  }
}

/** The first host and port of an address. */
export const hostOf = (url: string): string => /\/\/(?:[^@/]*@)?([^/,?]+)/.exec(url)![1]!;

/** The same server and user, another database. */
function withDatabase(url: string, database: string): string {
  const [, server = '', user, own = '', query = ''] = URL_PARTS.exec(url) ?? [];
  const options = new URLSearchParams(query);
  if (user !== undefined && !options.has('authSource')) options.set('authSource', own || 'admin');
  return `${server}/${database}?${options.toString()}`;
}
