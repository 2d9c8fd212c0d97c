import { join } from 'node:path';
import type { Api } from '../api.js';
import type { CustomerKms } from '../keystores/customer-kms.js';
import { duration, type Printer } from '../print.js';
import { LEASE_SECONDS, SERVICE, type World } from '../world.js';

/** One customer: its KMS, and its people on our platform. */
export interface Tenant {
  readonly id: string;
  readonly kms: CustomerKms;
  /** Connects keys, locks. */
  readonly anna: Api;
  /** The second person. */
  readonly boris: Api;
  readonly auditor: Api;
  /** Id of the service's L3 key. */
  readonly l3: string;
}
export interface Tenants {
  readonly acme: Tenant;
  readonly globex: Tenant;
}
interface Key {
  readonly id: string;
}
interface RootKey {
  readonly id: string;
  readonly state: string;
  readonly lastProof: { readonly callId: string } | null;
}

/** Two customers, each with a root key that only their own KMS holds. */
export async function connect(world: World, out: Printer): Promise<Tenants> {
  const start = performance.now();
  const [acmeKms, globexKms] = await Promise.all([
    world.customer('acme'),
    world.customer('globex'),
  ]);
  const acme = await onboard(world, out, 'acme', acmeKms);
  const globex = await onboard(world, null, 'globex', globexKms);
  out.check(true, 'The second customer, globex, is connected the same way with its own KMS.');
  const trust = await acme.auditor.must<object>('GET', '/v1/tenants/acme/trust');
  world.save('trust.json', `${JSON.stringify(trust, null, 2)}\n`);
  out.check(true, 'acme pins today what it will verify receipts with: trust.json.');

  out.command(`kcm edge enrol edge-1 --services ${SERVICE} --out edge-1`);
  const identity = world.path('edge-1');
  const args = ['edge', 'enrol', 'edge-1', '--services', SERVICE, '--out', identity];
  const enrolled = await world.server.kcm(...args);
  if (enrolled.code !== 0) throw new Error(`kcm edge enrol failed: ${enrolled.stderr}`);
  const edge = await world.startEdge(join(identity));
  await edge.sample('acme', Buffer.from('first'));
  const ms = out.measured('connectMs', performance.now() - start);
  out.check(
    true,
    `An Edge, a process of its own, is enrolled and encrypts; all of this took ${duration(ms)}.`,
  );
  return { acme, globex };
}

async function onboard(
  world: World,
  out: Printer | null,
  id: string,
  kms: CustomerKms,
): Promise<Tenant> {
  const operator = world.server.operator();
  const person = async (subject: string, ...roles: string[]): Promise<Api> => {
    const body = { tenant: id, subject, roles };
    const { token } = await operator.must<{ token: string }>('POST', '/v1/sys/tokens', body);
    return world.server.as(token);
  };
  out?.command(
    `kcm tenant create ${id} --lease-seconds ${LEASE_SECONDS} && kcm tenant activate ${id}`,
  );
  const policy = { leaseSeconds: LEASE_SECONDS };
  await operator.must('POST', '/v1/tenants', { id, name: `${id} bank`, policy });
  await operator.must('POST', `/v1/tenants/${id}/activate`);
  const anna = await person('anna', 'tenant-admin', 'key-admin');
  const boris = await person('boris', 'tenant-admin');
  const auditor = await person('ada', 'auditor');

  if (out !== null) await refuseWrongKeys(out, anna, id, kms);
  const { keystore } = kms.connection;
  out?.command(`kcm rootkey connect --tenant ${id} --keystore ${keystore} --reference key=${id} …`);
  const rootKey = await anna.must<RootKey>('POST', `/v1/tenants/${id}/root-keys`, kms.connection);
  out?.check(
    rootKey.state === 'enabled' && rootKey.lastProof !== null,
    'The right key is proved by a live wrap and unwrap: connected.',
  );
  const callId = rootKey.lastProof?.callId;
  out?.check(
    kms.calls().some((call) => call.callId === callId),
    `The proof's call id ${callId} stands in the customer's own log, ${kms.auditFile}`,
  );
  await anna.must('POST', `/v1/tenants/${id}/services`, { id: SERVICE });
  const l3 = await serviceKey(anna, id);
  return { id, kms, anna, boris, auditor, l3 };
}

async function refuseWrongKeys(
  out: Printer,
  anna: Api,
  id: string,
  kms: CustomerKms,
): Promise<void> {
  const path = `/v1/tenants/${id}/root-keys`;
  const wrong = [
    ['A key that does not exist', kms.noSuchKey],
    ['A wrong credential', kms.wrongCredentials],
  ] as const;
  for (const [what, connection] of wrong) {
    const { refused, status } = await anna.post(path, connection);
    out.check(
      refused?.step !== undefined && status === 422,
      `${what} is refused at the probe step “${refused?.step}”: ${refused?.code}.`,
    );
  }
  const keys = await anna.list<Key>(`/v1/tenants/${id}/keys`);
  const connected = (await anna.list<RootKey>(path)).filter(({ state }) => state === 'enabled');
  out.check(
    keys.length === 0 && connected.length === 0,
    'Nothing was created: no key, no root key.',
  );
}

/** Of the mapped service; made in the background while the L2 is. @throws Error after ten seconds */
async function serviceKey(anna: Api, id: string): Promise<string> {
  for (const end = performance.now() + 10_000; performance.now() < end;) {
    const path = `/v1/tenants/${id}/services/${SERVICE}`;
    const { key } = await anna.must<{ key: string | null }>('GET', path);
    if (key !== null) return key;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${id} got no key for ${SERVICE}`);
}
