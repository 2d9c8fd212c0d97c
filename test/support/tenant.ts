import type { Api } from './api.js';
import type { CustomerKey, Keystore } from './keystore.js';
import { until } from './processes.js';
import type { Region } from './region.js';

/** The shortest lease that a policy may set. */
export const LEASE_SECONDS = 10;
/** What is promised: the lease's end and one second. */
export const BOUND_MS = (LEASE_SECONDS + 1) * 1_000;

/** One customer: its key in its own keystore, and its people on the platform. */
export interface Tenant {
  readonly id: string;
  readonly path: string;
  readonly key: CustomerKey;
  /** Connects keys, maps services, locks. */
  readonly anna: Api;
  /** The second person. */
  readonly boris: Api;
  readonly auditor: Api;
  /** Id of the L3 by service. */
  readonly l3: Readonly<Record<string, string>>;
}

export interface Onboarding {
  readonly services?: readonly string[];
  /** Where Core reaches the keystore, if not directly. */
  readonly url?: string;
  readonly leaseSeconds?: number;
}

/** From nothing to keys that serve. */
export async function onboard(
  region: Pick<Region, 'operator' | 'person'>,
  keystore: Keystore,
  id: string,
  options: Onboarding = {},
): Promise<Tenant> {
  const { services = ['billing'], url = keystore.url, leaseSeconds = LEASE_SECONDS } = options;
  const { operator } = region;
  const path = `/v1/tenants/${id}`;
  const policy = { leaseSeconds };
  await operator.command('/v1/tenants', { id, name: `${id} bank`, policy });
  await operator.command(`${path}/activate`);
  const [key, anna, boris, auditor] = await Promise.all([
    keystore.create(id),
    region.person(id, 'anna', 'tenant-admin', 'key-admin'),
    region.person(id, 'boris', 'tenant-admin', 'key-admin'),
    region.person(id, 'ada', 'auditor'),
  ]);
  await anna.command(`${path}/root-keys`, {
    keystore: 'software',
    reference: { url, key: id },
    credentials: { token: key.token },
  });
  const l3: Record<string, string> = {};
  for (const service of services) {
    await anna.command(`${path}/services`, { id: service });
    l3[service] = await until(`the key of ${id}/${service}`, 10_000, async () => {
      // Read without a token: what was written may not be in the read model yet.
      const { status, body } = await anna.get<{ key: string | null }>(
        `${path}/services/${service}`,
      );
      return status === 200 ? body.key : null;
    });
  }
  return { id, path, key, anna, boris, auditor, l3 };
}
