import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEdge, type RunningEdge } from '@kcm/edge';
import { LIMITS, systemRandom } from '@kcm/kernel';
import type { AckStatement, UsageStatement } from '@kcm/kmip';
import { askSocket } from '@kcm/testing/edge';
import { BILLING, refused, TestDesk } from '@kcm/testing/lease-desk';
import { TestAuthority } from '@kcm/testing/tls';
import { KmipFront, type Signed } from '../../apps/core/kmip/index.js';

/** The Edge's own client against Core's own front: what each takes the protocol to be. */
describe('an Edge against Core over KMIP', () => {
  const desk = new TestDesk();
  const acks: Signed<AckStatement>[] = [];
  const usage: Signed<UsageStatement>[] = [];
  const complaints: unknown[] = [];
  let front: KmipFront;
  let edge: RunningEdge;
  let folder: string;

  beforeAll(async () => {
    const authority = await TestAuthority.create();
    const [own, certificate] = await Promise.all([authority.server(), authority.edge('e1')]);
    folder = mkdtempSync(join(tmpdir(), 'kcm-edge-core-'));
    front = await KmipFront.start({
      region: 'local',
      desk,
      view: {
        edge: () => ({
          status: 'enrolled',
          services: ['billing'],
          certificateSha256: certificate.sha256,
          notAfter: '2100-01-01T00:00:00.000Z',
        }),
        tenant: () => ({ status: 'absent' }),
        access: () => ({ status: 'open', term: 1, epoch: 1 }),
        keys: () =>
          new Map([
            [
              'l2-000000000002',
              {
                status: 'active',
                level: 'L2',
                service: null,
                parent: 'x',
                versions: [],
                current: 1,
              },
            ],
          ]),
      },
      credentials: own,
      host: '127.0.0.1',
      port: 0,
      wallMs: () => Date.now(),
      random: systemRandom,
      onAcknowledgement: async (ack) => void acks.push(ack),
      onUsage: async (report) => void usage.push(report),
      onCloned: (...boot) => complaints.push(boot),
      onRefused: (...why) => complaints.push(why),
      onError: (error) => complaints.push(error),
    });
    edge = await startEdge({
      coreHost: '127.0.0.1',
      corePort: front.port,
      ...certificate,
      edge: 'e1',
      region: 'local',
      services: ['billing'],
      socketDir: join(folder, 'edge'),
      log: () => undefined,
      usageWindowMs: 20,
    });
  });
  afterAll(async () => {
    await edge.stop();
    await front.close();
    rmSync(folder, { recursive: true });
  });

  const ask = (verb: string, body: object) =>
    askSocket(edge.sockets['billing']!, 'POST', `/v1/tenants/acme/${verb}`, body);
  const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const plaintext = Buffer.from('card 4711').toString('base64');

  it('leases, serves, refuses on notice with its signed word, and reports its use', async () => {
    const sealed = await ask('encrypt', { plaintext });
    expect(sealed).toMatchObject({ status: 200, body: { keyVersion: 2, grantId: 'grant-1' } });
    const { ciphertext } = sealed.body;
    expect((await ask('decrypt', { ciphertext })).body).toEqual({ plaintext });
    const [asked] = desk.asked as { boot: string }[];
    expect(asked).toMatchObject({ edge: 'e1', uid: BILLING.uid, kind: 'grant' });
    const boot = asked!.boot;
    await until(() => usage.length > 0 && front.reachable('e1', boot));
    expect(usage[0]).toMatchObject({ edge: 'e1', boot, statement: { seq: 1, previous: null } });

    desk.answer = refused('tenant_suspended');
    const endsAt = new Date(Date.now() + 9000).toISOString();
    desk.holding = [{ edge: 'e1', boot, endsAt }];
    const [told] = await front.notify({
      tenant: 'acme',
      service: null,
      access: 'locked',
      term: 1,
      epoch: 5,
    });
    expect(told?.refusedAt).not.toBeNull();
    const after = await ask('decrypt', { ciphertext });
    expect(after).toMatchObject({ status: 403, body: { code: 'tenant_suspended' } });
    await until(() => acks.length > 0);
    expect(acks[0]).toMatchObject({
      boot,
      statement: { uid: 'acme/l2-000000000002/1', term: 1, epoch: 5 },
    });
    expect(complaints).toEqual([]);
  });

  it('never serves on a lease without an end, whoever gave it', async () => {
    desk.answer = { seconds: 0, epoch: 6 };
    expect((await ask('encrypt', { plaintext })).status).not.toBe(200);
  });

  it('takes each number that a policy may hold', async () => {
    desk.leasedPolicy = { ...BILLING.policy, maxUses: LIMITS.subkeyInvocationsMax };
    desk.answer = { epoch: 7 };
    await until(async () => (await ask('encrypt', { plaintext })).status === 200);
  });
});
