import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DriverRegistry, EgressGuard, LOOPBACK_CIDRS } from '@kcm/keystores';
import { httpAnswer, type KeystoreBench, keystoreConformance, sealConformance } from '@kcm/testing';
import { startKeystore } from '../../apps/keystore/index.js';

async function startBench(): Promise<KeystoreBench> {
  const folder = await mkdtemp(join(tmpdir(), 'kcm-keystore-'));
  const keystore = await startKeystore({ folder, port: 0 });
  const { url, adminToken } = keystore;
  const registry = new DriverRegistry({ egress: new EgressGuard({ allow: LOOPBACK_CIDRS }) });
  let made = 0;
  const admin = async (path: string, body: object = {}): Promise<Record<string, string>> => {
    const answer = await fetch(`${url}/admin/keys${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}` },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return (await answer.json()) as Record<string, string>;
  };
  const act = async (path: string, body?: object): Promise<void> => {
    await admin(path, body);
  };
  return {
    driver: await registry.get('software'),
    async newKey() {
      const name = `root-${(made += 1)}`;
      const { id, token } = await admin('', { name });
      return {
        reference: { url, key: name },
        alias: { url: `${url.replace('127.0.0.1', 'localhost')}/`, key: id! },
        credentials: { token: token! },
        wrongCredentials: { token: 'kst_unknown' },
        disable: () => act(`/${id}/disable`),
        enable: () => act(`/${id}/enable`),
        rotate: () => act(`/${id}/rotate`),
        delete: () => act(`/${id}/delete`, { immediate: true }),
        recreate: () => act('', { name }),
        withdraw: () => act(`/${id}/withdraw`),
        allow: () => act(`/${id}/allow`),
      };
    },
    at: (reference, other) => ({ ...reference, url: other }),
    async audit() {
      const lines = (await readFile(join(folder, 'audit.jsonl'), 'utf8')).trim().split('\n');
      return lines.map((line) => JSON.parse(line) as { callId: string; requestId: string });
    },
    refusal: { status: '409 Conflict', body: '{"error":"key_disabled"}' },
    throttled: httpAnswer('429 Too Many Requests', '{"error":"throttled"}'),
    async stop() {
      await keystore.close();
      await rm(folder, { recursive: true });
    },
  };
}

keystoreConformance('software', startBench);
sealConformance('software', startBench);
