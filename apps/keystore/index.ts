import { readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Clock, type Random, systemClock, systemRandom, uuidv4 } from '@kcm/kernel';
import { Audit } from './audit.js';
import { ownFolder, readIfThere, writeAtomic } from './files.js';
import { Keys, sha256Hex } from './keys.js';
import { Operations } from './operations.js';
import { createKeystoreServer } from './server.js';

export interface KeystoreOptions {
  /** Made when it is missing; holds keys, admin-token, audit.jsonl and endpoint.json. */
  readonly folder: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly clock?: Clock;
  readonly random?: Random;
}
export interface RunningKeystore {
  readonly url: string;
  /** Stands in `<folder>/admin-token` (0600). */
  readonly adminToken: string;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/**
 * The customer's own little KMS, for trials: keys lie in clear in its folder and it speaks plain
 * HTTP, so it listens on loopback only.
 * @throws the listen error, e.g. EADDRINUSE
 */
export async function startKeystore(options: KeystoreOptions): Promise<RunningKeystore> {
  const { folder, port, clock = systemClock, random = systemRandom } = options;
  await ownFolder(folder);
  const id = await once(folder, 'keystore-id', () => uuidv4(random));
  const adminToken = await once(folder, 'admin-token', () =>
    random.bytes(32).toString('base64url'),
  );
  const keys = await Keys.open(folder, clock, random);
  const audit = await Audit.open(folder);
  const operations = new Operations(id, sha256Hex(adminToken), keys, random);
  const server = createKeystoreServer({ operations, audit, clock, random });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, LOOPBACK, resolve);
    });
  } catch (error) {
    await audit.close();
    throw error;
  }
  const url = `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`;
  await writeAtomic(folder, 'endpoint.json', `${JSON.stringify({ url, pid: process.pid })}\n`);
  return {
    url,
    adminToken,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await audit.close();
      await rm(join(folder, 'endpoint.json'), { force: true });
    },
  };
}

/** The content of a file that is made on the first start and kept. */
async function once(folder: string, name: string, make: () => string): Promise<string> {
  const kept = await readIfThere(join(folder, name));
  if (kept !== null && kept.trim() !== '') return kept.trim();
  await writeAtomic(folder, name, `${make()}\n`);
  return (await readFile(join(folder, name), 'utf8')).trim();
}
