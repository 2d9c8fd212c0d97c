import { type RunningKeystore, startKeystore } from '../../apps/keystore/index.js';
import { ask } from './http.js';
import type { Server } from './server.js';

/** A customer with a keystore of its own, inside the test's process. */
export class Customer {
  private constructor(
    readonly keystore: RunningKeystore,
    readonly folder: string,
  ) {}

  static async open(folder: string): Promise<Customer> {
    return new Customer(await startKeystore({ folder, port: 0 }), folder);
  }

  /** A new key; what `POST …/root-keys` needs to connect it. */
  async connection(key: string): Promise<Readonly<Record<string, unknown>>> {
    const { token } = await this.#administer<{ token: string }>('/admin/keys', { name: key });
    const reference = { url: this.keystore.url, key };
    return { keystore: 'software', reference, credentials: { token } };
  }

  async disable(key: string): Promise<void> {
    await this.#administer(`/admin/keys/${key}/disable`, {});
  }

  async enable(key: string): Promise<void> {
    await this.#administer(`/admin/keys/${key}/enable`, {});
  }

  close(): Promise<void> {
    return this.keystore.close();
  }

  async #administer<T>(path: string, body: object): Promise<T> {
    const { url, adminToken } = this.keystore;
    const answer = await ask(url, 'POST', path, { token: adminToken, body });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.body as T;
  }
}

export interface Onboarded {
  readonly id: string;
  /** Tokens of two people who may all, and of one who reads. */
  readonly anna: string;
  readonly boris: string;
  readonly auditor: string;
  readonly rootKey: string;
  readonly l3: string;
}

/** A tenant with its root key connected and one service mapped. */
export async function onboard(
  server: Server,
  customer: Customer,
  id: string,
  service: string,
  leaseSeconds = 10,
): Promise<Onboarded> {
  await server.must('POST', '/v1/tenants', {
    body: { id, name: `${id} bank`, policy: { leaseSeconds } },
  });
  await server.must('POST', `/v1/tenants/${id}/activate`, { body: {} });
  const [anna, boris, auditor] = await Promise.all([
    server.tokenFor(id, ['tenant-admin', 'key-admin'], 'anna'),
    server.tokenFor(id, ['tenant-admin', 'key-admin', 'approver'], 'boris'),
    server.tokenFor(id, ['auditor'], 'carla'),
  ]);
  const body = await customer.connection(id);
  const path = `/v1/tenants/${id}`;
  const root = await server.must<{ id: string }>('POST', `${path}/root-keys`, {
    token: anna,
    body,
  });
  await server.must('POST', `${path}/services`, { token: anna, body: { id: service } });
  let l3 = '';
  await server.until(`the key of ${id}/${service}`, async () => {
    const at = `${path}/services/${service}`;
    l3 = (await server.must<{ key: string | null }>('GET', at, { token: anna })).key ?? '';
    return l3 !== '';
  });
  return { id, anna, boris, auditor, rootKey: root.id, l3 };
}
