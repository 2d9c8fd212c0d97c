import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverRegistry, EgressGuard, type KeystoreDriver, LOOPBACK_CIDRS } from '@kcm/keystores';
import { httpAnswer, type KeystoreBench, keystoreConformance, sealConformance } from '@kcm/testing';
import { type RunningOpenBao, startOpenBao } from '../../scripts/services/openbao.mjs';

/** A real server and what its owner does there, with the root token. */
interface Owner {
  readonly server: RunningOpenBao;
  readonly driver: KeystoreDriver;
  write(method: string, path: string, body?: object): Promise<Answered>;
  stop(): Promise<void>;
}
interface Answered {
  readonly auth?: { readonly client_token: string };
  readonly data?: { readonly [field: string]: string };
}

async function startOwner(): Promise<Owner> {
  const dir = await mkdtemp(join(tmpdir(), 'kcm-openbao-'));
  const server = await startOpenBao({ dir });
  const registry = new DriverRegistry({ egress: new EgressGuard({ allow: LOOPBACK_CIDRS }) });
  const owner: Owner = {
    server,
    driver: await registry.get('vault'),
    async write(method, path, body) {
      const answer = await fetch(`${server.address}/v1/${path}`, {
        method,
        headers: { 'X-Vault-Token': server.rootToken },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
      return answer.status === 204 ? {} : ((await answer.json()) as Answered);
    },
    async stop() {
      await server.stop();
      await rm(dir, { recursive: true });
    },
  };
  await owner.write('POST', 'sys/mounts/transit', { type: 'transit' });
  await owner.write('POST', 'sys/auth/approle', { type: 'approle' });
  return owner;
}

/** A fresh key with the policy that the driver gives out, and a token that holds it. */
async function newKey(owner: Owner, config: object) {
  const key = `root-${randomUUID()}`;
  const reference = { address: owner.server.address, mount: 'transit', key };
  const policy = `sys/policies/acl/${key}`;
  const { policy: hcl } = owner.driver.trustPolicy(reference, 'acme', 'local');
  const make = () => owner.write('POST', `transit/keys/${key}`, config).then(() => undefined);
  const allow = () => owner.write('PUT', policy, { policy: hcl }).then(() => undefined);
  const configure = (body: object) => owner.write('POST', `transit/keys/${key}/config`, body);
  await make();
  await allow();
  const { auth } = await owner.write('POST', 'auth/token/create-orphan', { policies: [key] });
  return {
    reference,
    alias: { ...reference, address: owner.server.address.replace('127.0.0.1', 'localhost') },
    credentials: { token: auth!.client_token },
    wrongCredentials: { token: 's.unknown' },
    allow,
    async disable() {
      await owner.write('POST', `transit/keys/${key}/rotate`);
      await configure({ min_decryption_version: 2 });
    },
    async enable() {
      await configure({ min_decryption_version: 1 });
    },
    async rotate() {
      await owner.write('POST', `transit/keys/${key}/rotate`);
    },
    async delete() {
      await configure({ deletion_allowed: true });
      await owner.write('DELETE', `transit/keys/${key}`);
    },
    async recreate() {
      // The server dates a key in whole seconds.
      await sleep(1_100);
      await make();
    },
    async withdraw() {
      await owner.write('DELETE', policy);
    },
  };
}

async function startBench(config: object): Promise<KeystoreBench> {
  const owner = await startOwner();
  return {
    driver: owner.driver,
    newKey: () => newKey(owner, config),
    at: (reference, address) => ({ ...reference, address }),
    async audit() {
      const lines = (await readFile(owner.server.auditFile, 'utf8')).trim().split('\n');
      return lines.map((line) => {
        const { request } = JSON.parse(line) as {
          request: { id: string; headers?: { 'x-correlation-id'?: string[] } };
        };
        return {
          callId: request.headers?.['x-correlation-id']?.[0] ?? null,
          requestId: request.id,
        };
      });
    },
    refusal: { status: '403 Forbidden', body: '{"errors":["permission denied"]}' },
    throttled: httpAnswer('429 Too Many Requests', '{"errors":["rate limit quota exceeded"]}'),
    stop: () => owner.stop(),
  };
}

keystoreConformance('vault, associated data', () => startBench({}));
sealConformance('vault', () => startBench({}));
keystoreConformance('vault, derived key', () => startBench({ derived: true }));

describe('keystore vault, over what only it has', () => {
  const binding = { tenant: 'acme', key: 'l2-0123456789ab', version: 1 };
  const call = () => ({ callId: randomUUID() });
  let owner: Owner;
  beforeAll(async () => {
    owner = await startOwner();
  }, 120_000);
  afterAll(() => owner.stop());

  it('denies under a soft-deleted key as pending deletion, until it is restored', async () => {
    const key = await newKey(owner, { derived: true });
    const root = await owner.driver.open(key.reference, key.credentials);
    const blob = await root.wrap(randomBytes(32), binding, call());
    if (!blob.ok) throw new Error(blob.detail);
    await owner.write('DELETE', `transit/keys/${key.reference.key}/soft-delete`);
    const denied = { ok: false, cause: 'denied', code: 'root_key_pending_deletion' };
    expect(await root.unwrap(blob.value.bytes, binding, call())).toMatchObject(denied);
    expect(await root.wrap(randomBytes(32), binding, call())).toMatchObject(denied);
    expect(await root.resolve(call())).toMatchObject(denied);
    await owner.write('POST', `transit/keys/${key.reference.key}/soft-delete-restore`);
    expect(await root.unwrap(blob.value.bytes, binding, call())).toMatchObject({ ok: true });
    await root.close();
  });

  it('does not create a key that is missing, though the token could', async () => {
    const key = `never-${randomUUID()}`;
    const reference = { address: owner.server.address, mount: 'transit', key };
    const root = await owner.driver.open(reference, { token: owner.server.rootToken });
    const answer = await root.wrap(randomBytes(32), binding, call());
    expect(answer).toMatchObject({ cause: 'denied', code: 'root_key_not_found' });
    await expect(owner.write('GET', `transit/keys/${key}`)).rejects.toThrow('404');
    await root.close();
  });

  it.each(['aes128-gcm96', 'rsa-2048', 'ed25519'])('refuses a key of type %s', async (type) => {
    const key = await newKey(owner, { type });
    const root = await owner.driver.open(key.reference, key.credentials);
    expect(await root.resolve(call())).toMatchObject({
      cause: 'indeterminate',
      code: 'keystore_wrong_algorithm',
      step: 'algorithm',
    });
    await root.close();
  });

  it('logs in by AppRole, again when its token died, and tells the role’s end apart', async () => {
    const key = await newKey(owner, { derived: true });
    const name = key.reference.key;
    const role = `auth/approle/role/${name}`;
    await owner.write('POST', role, { token_policies: name });
    const { data: id } = await owner.write('GET', `${role}/role-id`);
    const { data: secret } = await owner.write('POST', `${role}/secret-id`);
    const credentials = { roleId: id!['role_id']!, secretId: secret!['secret_id']! };
    const root = await owner.driver.open(key.reference, credentials);
    const blob = await root.wrap(randomBytes(32), binding, call());
    if (!blob.ok) throw new Error(blob.detail);
    const unwrap = () => root.unwrap(blob.value.bytes, binding, call());

    const tokens = await owner.write('GET', 'auth/token/accessors?list=true');
    let ended = 0;
    for (const accessor of tokens.data?.['keys'] ?? []) {
      const { data } = await owner.write('POST', 'auth/token/lookup-accessor', { accessor });
      if (data?.['path'] !== 'auth/approle/login') continue;
      await owner.write('POST', 'auth/token/revoke-accessor', { accessor });
      ended += 1;
    }
    expect(ended).toBe(1);
    expect(await unwrap()).toMatchObject({ ok: true });

    await key.withdraw();
    expect(await unwrap()).toMatchObject({ cause: 'denied', code: 'root_key_forbidden' });
    await owner.write('DELETE', role);
    expect(await unwrap()).toMatchObject({ cause: 'credential', code: 'keystore_auth_failed' });
    await root.close();
  });

  it('says indeterminate while the server is sealed', async () => {
    const sealed = await startOwner();
    try {
      const key = await newKey(sealed, {});
      const root = await sealed.driver.open(key.reference, key.credentials);
      const blob = await root.wrap(randomBytes(32), binding, call());
      if (!blob.ok) throw new Error(blob.detail);
      await sealed.write('PUT', 'sys/seal');
      expect(await root.unwrap(blob.value.bytes, binding, call())).toMatchObject({
        cause: 'indeterminate',
        code: 'root_key_unreachable',
        step: 'state',
      });
      await root.close();
    } finally {
      await sealed.stop();
    }
  });

  it('takes another server at its address for no evidence', async () => {
    const key = await newKey(owner, {});
    const first = await owner.driver.open(key.reference, key.credentials);
    const found = await first.resolve(call());
    const blob = await first.wrap(randomBytes(32), binding, call());
    if (!found.ok || !blob.ok) throw new Error('not connected');
    await first.close();
    const other = await startOwner();
    try {
      const reference = { ...key.reference, address: other.server.address };
      const credentials = { token: other.server.rootToken };
      const root = await owner.driver.open(reference, credentials, found.value.resolved);
      for (const answer of [
        await root.unwrap(blob.value.bytes, binding, call()),
        await root.wrap(randomBytes(32), binding, call()),
        await root.resolve(call()),
      ])
        expect(answer).toMatchObject({ cause: 'indeterminate', code: 'root_key_unreachable' });
      await root.close();
    } finally {
      await other.stop();
    }
  });
});
