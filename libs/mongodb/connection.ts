import { type Db, MongoClient, ReadConcern } from 'mongodb';
import { KcmError } from '@kcm/kernel';
import { asKcmError, MongoRefused, MongoUnavailable } from './errors.js';

export interface MongoOptions {
  /** `mongodb://host:port,…/database?…`; holds credentials, and is never told to anybody. */
  readonly url: string;
  /** How long a call looks for a server that can take it. */
  readonly reachMsMax?: number;
}
const ADDRESS =
  /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^@/?]+)(?:\/([A-Za-z0-9_-]{0,38}))?(?:\?.*)?$/;
const DATABASE = 'kcm';
const VERSION_MIN = 5;
const REACH_MS_MAX = 5_000;
const SOCKET_MS_MAX = 30_000;
const WRITE_MS_MAX = 10_000;

/**
 * One database of a MongoDB server that is there and new enough. What is written is durable on a
 * majority, what is read is what a majority has, from the primary; the URL changes neither.
 * @throws MongoUnavailable · MongoRefused · KcmError invalid_request (the URL)
 */
export async function openMongo(options: MongoOptions): Promise<MongoConnection> {
  const { url, reachMsMax = REACH_MS_MAX } = options;
  const [, host, database] = ADDRESS.exec(url) ?? [];
  const client = host === undefined ? null : newClient(url, reachMsMax);
  // What the driver says of a wrong URL may quote it.
  if (host === undefined || client === null)
    throw new KcmError(
      'invalid_request',
      'The MongoDB address is not mongodb://host:port/database.',
    );
  const connection = new MongoConnection(client, database || DATABASE, host);
  try {
    await connection.run(async (db) => {
      const { versionArray, version } = await db.command({ buildInfo: 1 });
      const major = Array.isArray(versionArray) ? Number(versionArray[0]) : 0;
      if (!(major >= VERSION_MIN))
        throw new MongoRefused(host, `is ${version}: MongoDB 5.0 or newer is needed`);
      // The first call that needs the user's rights.
      await db.listCollections({}, { nameOnly: true }).toArray();
    }, 'opening');
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

function newClient(url: string, reachMsMax: number): MongoClient | null {
  try {
    return new MongoClient(url, {
      appName: 'openkcm',
      ignoreUndefined: true,
      serverSelectionTimeoutMS: reachMsMax,
      connectTimeoutMS: reachMsMax,
      socketTimeoutMS: SOCKET_MS_MAX,
    });
  } catch {
    return null;
  }
}

export class MongoConnection {
  readonly #db: Db;
  #closed = false;

  constructor(
    private readonly client: MongoClient,
    database: string,
    private readonly host: string,
  ) {
    this.#db = client.db(database, {
      writeConcern: { w: 'majority', journal: true, wtimeoutMS: WRITE_MS_MAX },
      readConcern: new ReadConcern('majority'),
      readPreference: 'primary',
    });
  }

  /** @throws MongoUnavailable for whatever failed; at the opening MongoRefused for a refusal */
  async run<T>(call: (db: Db) => Promise<T>, when: 'opening' | 'use' = 'use'): Promise<T> {
    if (this.#closed) throw new MongoUnavailable(this.host, 'was let go of');
    try {
      return await call(this.#db);
    } catch (error) {
      throw asKcmError(error, this.host, when);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.client.close();
  }
}
