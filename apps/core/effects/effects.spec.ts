import { sha256Hex } from '@kcm/crypto';
import { KeyService, l2KeyId, l3KeyId } from '@kcm/custody';
import { commandIdOf, KcmError, KeyedTurns, streamOf, keyVersionUid } from '@kcm/kernel';
import { CustodyWorld, settled } from '@kcm/testing';
import { type EffectDeps, type KeyEffect, runKeyEffect } from './index.js';

const TRACE = (effect: KeyEffect) => ({
  actor: 'process:onboarding',
  correlationId: 'corr',
  causationId: 'cause',
  commandId: commandIdOf(effect),
});
const STREAMS = {
  access: streamOf('access', 'acme'),
  rootkeys: streamOf('rootkeys', 'acme'),
  l2: streamOf('key', 'acme', l2KeyId('acme')),
  l3: streamOf('key', 'acme', l3KeyId('acme', 'billing')),
  kill: streamOf('revocation', 'acme', 'rev-killed'),
};
const CONNECT = { kind: 'connectRootKey', tenant: 'acme', rootKeyId: 'rk-1' } as const;
const L2 = { kind: 'createL2', tenant: 'acme', rootKeyId: 'rk-1' } as const;
const L3 = { kind: 'createL3', tenant: 'acme', service: 'billing' } as const;
const SHRED = { kind: 'shred', tenant: 'acme', revocation: 'rev-killed' } as const;

class Core extends CustodyWorld {
  readonly keys = new KeyService(this.parts('boot-1'));
  readonly rotations: string[] = [];
  /** The command kinds whose next dispatch is stored but never heard of: a crash right after. */
  readonly crashAfter = new Set<string>();

  deps(): EffectDeps {
    return {
      keys: this.keys,
      view: this.view,
      ledger: this.ledger,
      catalog: this.catalog,
      dispatch: async (step, context) => {
        const done = await this.dispatch(step, context);
        if (this.crashAfter.delete(step.command.kind)) throw new Error('crashed');
        return done;
      },
      vault: this.vault,
      wrapped: this.vault,
      erasure: this.erasure,
      turns: new KeyedTurns(),
      clock: this.time,
      random: this.parts('').random,
      region: 'local',
      onRotation: (cause, outcome) => this.rotations.push(`${cause ?? 'command'} ${outcome}`),
      shredWord: async () => 'recoverable from a disk image',
    };
  }
  effect(effect: KeyEffect): Promise<void> {
    return runKeyEffect(this.deps(), effect, TRACE(effect));
  }
  types(stream: string) {
    return this.ledger.types(stream);
  }
  async onboard(tenant = 'acme'): Promise<void> {
    await this.tenant(tenant);
    await this.effect({ ...CONNECT, tenant });
    await this.effect({ ...L2, tenant });
    await this.effect({ ...L3, tenant });
  }
  lease(version = 1) {
    const uid = keyVersionUid({ tenant: 'acme', key: l3KeyId('acme', 'billing'), version });
    return this.keys.desk.lease({ edge: 'e1', boot: 'b' }, uid, 'grant', null);
  }
  async kill(): Promise<void> {
    await this.lock('acme', 'killed');
    await this.run('revocation', STREAMS.kill, {
      kind: 'OpenRevocation',
      revocation: {
        kind: 'kill',
        scope: { all: true },
        cause: 'test',
        lockedBy: 'sub-a',
        startedAt: '2030-01-01T00:00:00.000Z',
        hardBound: '2030-01-01T00:01:00.000Z',
        epoch: 1,
        holders: [],
        probe: null,
      },
    });
    await this.run('revocation', STREAMS.kill, { kind: 'RequestShred', requestedBy: 'sub-b' });
  }
}
async function core(): Promise<Core> {
  const world = new Core();
  await world.keys.started();
  await world.edge('e1');
  world.keys.unsealed();
  return world;
}

describe('connectRootKey', () => {
  it('proves the key by a recorded round trip before it is connected', async () => {
    const world = await core();
    await world.tenant('acme');
    await world.effect(CONNECT);
    expect(world.keystore.calls.map(({ operation }) => operation)).toEqual([
      'resolve',
      'wrap',
      'unwrap',
    ]);
    expect(world.recorded('KeystoreCallIntended').map(({ data }) => data['operation'])).toEqual([
      'resolve',
      'wrap',
      'unwrap',
    ]);
    const [connected] = world.recorded('RootKeyConnected');
    const unwrap = world.keystore.calls[2]!;
    expect(connected!.data).toMatchObject({
      resolved: 'fake/acme',
      primary: true,
      callId: unwrap.callId,
      providerRequestId: `req-${unwrap.callId}`,
    });
    expect(connected!.meta).toMatchObject({ actor: 'process:onboarding', correlationId: 'corr' });
    await settled();
    expect(world.recorded('KeystoreCallSucceeded')).toHaveLength(3);
  });

  it.each([
    ['denied', 'root_key_disabled', 'state'],
    ['denied', 'root_key_not_found', 'not_found'],
    ['denied', 'root_key_forbidden', 'policy'],
    ['credential', 'keystore_auth_failed', 'auth'],
    ['indeterminate', 'root_key_unreachable', 'network'],
  ] as const)('refuses on %s %s with its step, and claims nothing', async (cause, code, step) => {
    const world = await core();
    await world.tenant('acme');
    world.keystore.refuse('acme', cause, code, step);
    await world.effect(CONNECT);
    const [refused] = world.recorded('RootKeyConnectionRefused');
    expect(refused!.data).toMatchObject({ code, step, callId: world.keystore.calls[0]!.callId });
    expect(world.recorded('RootKeyClaimed')).toEqual([]);
    await world.effect(CONNECT);
    expect(world.recorded('RootKeyConnectionRefused')).toHaveLength(1);
  });

  it('that a kill and its shred overtake is refused, whatever the keystore answers', async () => {
    const world = await core();
    await world.tenant('acme');
    world.keystore.delay();
    const connecting = world.effect(CONNECT);
    await settled();
    await world.kill();
    await world.effect(SHRED);
    world.keystore.deliver();
    await connecting;
    expect(world.types(STREAMS.rootkeys).at(-1)).toBe('RootKeyConnectionRefused');
    expect(world.recorded('RootKeyConnectionRefused')[0]!.data['code']).toBe('tenant_killed');
    expect(world.recorded('RootKeyClaimed')).toEqual([]);
  });

  it('another tenant’s key is refused, and the claim is found again after a crash', async () => {
    const world = await core();
    await world.tenant('acme');
    world.crashAfter.add('ClaimRootKey');
    await expect(world.effect(CONNECT)).rejects.toThrow('crashed');
    await world.effect(CONNECT);
    expect(world.types(STREAMS.rootkeys).at(-1)).toBe('RootKeyConnected');
    const rootkeys = streamOf('rootkeys', 'bank');
    await world.run('rootkeys', rootkeys, {
      kind: 'RequestConnection',
      rootKeyId: 'rk-1',
      keystore: 'software',
      reference: { url: 'http://127.0.0.1:2', key: 'acme' },
      mode: 'hyok',
      credentialsDigest: null,
      operation: 'op-2',
    });
    await world.effect({ ...CONNECT, tenant: 'bank' });
    const [refused] = world.recorded('RootKeyConnectionRefused');
    expect(refused!.data).toMatchObject({ code: 'root_key_in_use', step: 'policy' });
  });

  it('credentials that are not what was recorded are refused as such', async () => {
    const world = await core();
    await world.run('rootkeys', STREAMS.rootkeys, {
      kind: 'RequestConnection',
      rootKeyId: 'rk-1',
      keystore: 'software',
      reference: { url: 'http://127.0.0.1:1', key: 'acme' },
      mode: 'hyok',
      credentialsDigest: sha256Hex('{"token":"right"}'),
      operation: 'op-1',
    });
    await world.vault.put('cred/acme/rk-1', Buffer.from('{"token":"wrong"}'));
    await world.effect(CONNECT);
    const [refused] = world.recorded('RootKeyConnectionRefused');
    expect(refused!.data).toMatchObject({ code: 'keystore_auth_failed', step: 'auth' });
    expect(world.keystore.calls).toEqual([]);
  });

  it('a call that cannot be recorded refuses nothing: it is tried again', async () => {
    const world = await core();
    await world.tenant('acme');
    world.ledger.down = true;
    await expect(world.effect(CONNECT)).rejects.toMatchObject({ code: 'ledger_unavailable' });
    expect(world.keystore.calls).toEqual([]);
    world.ledger.down = false;
    await world.time.advance(6_000);
    await world.effect(CONNECT);
    expect(world.types(STREAMS.rootkeys).at(-1)).toBe('RootKeyConnected');
  });
});

describe('createL2 and createL3', () => {
  it('lead to a key that an Edge can lease', async () => {
    const world = await core();
    await world.onboard();
    expect(world.types(STREAMS.l2)).toEqual(['KeyCreated', 'KeyVersionWrapped']);
    expect(world.types(STREAMS.l3)).toEqual(['KeyCreated', 'KeyVersionWrapped']);
    expect(await world.lease()).toMatchObject({ ok: true, service: 'billing' });
  });

  it('WriteOrder: the blob is in the vault when its event is stored', async () => {
    const world = await core();
    const missing: string[] = [];
    const fold = world.ledger.onStored;
    world.ledger.onStored = (events) => {
      for (const { type, data } of events)
        if (type === 'KeyVersionWrapped') {
          const digest = data['digest'] as string;
          if (![...world.vault.blobs.keys()].some((key) => key.endsWith(digest)))
            missing.push(digest);
        }
      fold(events);
    };
    await world.onboard();
    expect(world.recorded('KeyVersionWrapped')).toHaveLength(2);
    expect(missing).toEqual([]);
  });

  it.each([L2, L3])('$kind repeated after a crash keeps what was recorded', async (effect) => {
    const world = await core();
    await world.tenant('acme');
    await world.effect(CONNECT);
    if (effect === L3) await world.effect(L2);
    world.crashAfter.add('CreateKey');
    await expect(world.effect(effect)).rejects.toThrow('crashed');
    await world.effect(effect);
    await world.effect(L2);
    await world.effect(L3);
    expect(world.recorded('KeyCreated')).toHaveLength(2);
    expect(await world.lease()).toMatchObject({ ok: true });
  });

  it('two runs at once make one key', async () => {
    const world = await core();
    await world.tenant('acme');
    await world.effect(CONNECT);
    const deps = world.deps();
    await Promise.all([L2, L2].map((effect) => runKeyEffect(deps, effect, TRACE(effect))));
    expect(world.recorded('KeyCreated')).toHaveLength(1);
  });

  it('nothing is made for a killed tenant', async () => {
    const world = await core();
    await world.tenant('acme');
    await world.effect(CONNECT);
    await world.lock('acme', 'killed');
    await expect(world.effect(L2)).rejects.toMatchObject({ code: 'tenant_killed' });
    expect(world.erasure.blobs.size).toBe(0);
    expect(world.recorded('KeyCreated')).toEqual([]);
  });
});

describe('rotateL3', () => {
  const ROTATE = {
    kind: 'rotateL3',
    tenant: 'acme',
    key: l3KeyId('acme', 'billing'),
    operation: 'op-r',
  } as const;
  const request = (world: Core) =>
    world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op-r' });

  it('the new version protects, the old one still opens', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    world.crashAfter.add('CompleteRotation');
    await expect(world.effect(ROTATE)).rejects.toThrow('crashed');
    await world.effect(ROTATE);
    expect(world.recorded('KeyRotated')).toHaveLength(1);
    expect(await world.lease(1)).toMatchObject({ ok: true, state: 'deactivated' });
    expect(await world.lease(2)).toMatchObject({ ok: true, state: 'active' });
  });

  it('is refused when the customer says no, and waits when nothing was learnt', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    await world.time.advance(200_000);
    world.keystore.refuse('acme', 'indeterminate', 'root_key_unreachable', 'network');
    await expect(world.effect(ROTATE)).rejects.toMatchObject({ code: 'root_key_unreachable' });
    expect(world.recorded('KeyRotationRefused')).toEqual([]);
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    await world.time.advance(10_000);
    await world.effect(ROTATE);
    expect(world.recorded('KeyRotationRefused')[0]!.data).toEqual({
      operation: 'op-r',
      code: 'root_key_disabled',
    });
  });

  it('is refused under a lock, with the lock’s code', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    await world.lock('acme', 'suspended', { service: 'billing' });
    await world.effect(ROTATE);
    expect(world.recorded('KeyRotationRefused')[0]!.data).toMatchObject({
      code: 'tenant_suspended',
    });
  });

  it.each([null, { service: 'billing' }])('is refused while read-only: %j', async (scope) => {
    const world = await core();
    await world.onboard();
    await request(world);
    await world.lock('acme', 'readOnly', scope);
    await world.effect(ROTATE);
    expect(world.recorded('KeyRotationRefused')[0]!.data).toEqual({
      operation: 'op-r',
      code: 'tenant_read_only',
    });
    expect(world.recorded('KeyRotated')).toEqual([]);
  });

  it('is refused where the tenant key cannot be opened any more', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    world.erasure.blobs.clear();
    await world.time.advance(200_000);
    await world.effect(ROTATE);
    expect(world.recorded('KeyRotationRefused')[0]!.data).toEqual({
      operation: 'op-r',
      code: 'integrity',
    });
  });
});

describe('rotateL2 and rewrapL3', () => {
  const L3_KEY = l3KeyId('acme', 'billing');
  const ROTATE = {
    kind: 'rotateL2',
    tenant: 'acme',
    key: l2KeyId('acme'),
    operation: 'op-l2',
  } as const;
  const REWRAP = { kind: 'rewrapL3', tenant: 'acme', key: L3_KEY, version: 1 } as const;
  const request = (world: Core, operation = 'op-l2') =>
    world.run('key', STREAMS.l2, { kind: 'RequestRotation', operation });
  async function rotated(): Promise<Core> {
    const world = await core();
    await world.onboard();
    await request(world);
    await world.effect(ROTATE);
    return world;
  }
  const stateOf = (world: Core, key: string) => {
    const state = world.view.keys('acme').get(key);
    if (state === undefined || state.status === 'absent') throw new Error('no key');
    return state;
  };
  /** The versions of the L2 that wrap the versions of the L3. */
  const parents = (world: Core) =>
    stateOf(world, L3_KEY).versions.map(({ wrappedBy }) => wrappedBy.version);
  /** Nothing is in memory and no proof stands: what opens now opens from the stores. */
  const cold = (world: Core) => world.time.advance(200_000);

  it('the next version is in the vault and opened from there before it is recorded', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    const before = world.keystore.calls.length;
    world.crashAfter.add('CompleteRotation');
    await expect(world.effect(ROTATE)).rejects.toThrow('crashed');
    const calls = world.keystore.calls.slice(before).map(({ operation }) => operation);
    expect(calls).toEqual(['wrap', 'unwrap']);
    await world.effect(ROTATE);
    expect(world.types(STREAMS.l2).slice(2)).toEqual([
      'KeyRotationRequested',
      'KeyVersionWrapped',
      'KeyRotated',
      'KeyVersionDeactivated',
    ]);
    const intents = world.recorded('KeystoreCallIntended').map(({ data }) => data['purpose']);
    expect(intents.filter((purpose) => purpose === 'rotate')).toHaveLength(2);
  });

  it('what hangs from an earlier version opens by an unwrap of its own; new versions hang from the new one', async () => {
    const world = await rotated();
    await cold(world);
    const before = world.keystore.unwraps('acme');
    expect(await world.lease(1)).toMatchObject({ ok: true });
    expect(world.keystore.unwraps('acme') - before).toBe(2);
    await world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op-l3' });
    await world.effect({ kind: 'rotateL3', tenant: 'acme', key: L3_KEY, operation: 'op-l3' });
    expect(parents(world)).toEqual(['1', '2']);
    expect(await world.lease(2)).toMatchObject({ ok: true, state: 'active' });
  });

  it('a renewal unwraps the current version alone, and keeps what hangs from an earlier one', async () => {
    const world = await rotated();
    await cold(world);
    await world.lease(1);
    const before = world.keystore.unwraps('acme');
    for (let at = 0; at < 6; at += 1) {
      await world.time.advance(20_000);
      expect(await world.lease(1)).toMatchObject({ ok: true });
    }
    expect(world.keystore.unwraps('acme') - before).toBeLessThanOrEqual(5);
    expect(world.recorded('LeaseRefused')).toEqual([]);
  });

  it('an L2 that is out of use wraps no L3, new or anew, and does when it is rotated', async () => {
    const world = await rotated();
    const L3 = { kind: 'rotateL3', tenant: 'acme', key: L3_KEY } as const;
    await world.run('key', STREAMS.l2, { kind: 'DeactivateVersion', version: null });
    await expect(world.effect(REWRAP)).rejects.toMatchObject({ code: 'key_not_active' });
    await world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op-1' });
    await world.effect({ ...L3, operation: 'op-1' });
    expect(world.recorded('KeyRotationRefused').at(-1)!.data).toEqual({
      operation: 'op-1',
      code: 'key_not_active',
    });
    expect(parents(world)).toEqual(['1']);
    expect(await world.lease(1)).toMatchObject({ ok: true });

    await request(world, 'op-l2-b');
    await world.effect({ ...ROTATE, operation: 'op-l2-b' });
    await world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op-2' });
    await world.effect({ ...L3, operation: 'op-2' });
    await world.effect(REWRAP);
    expect(parents(world)).toEqual(['3', '3']);
  });

  it('an archived L2 is rotated all the same; what hangs from it opens when it is recovered', async () => {
    const world = await core();
    await world.onboard();
    await world.run('key', STREAMS.l2, { kind: 'DeactivateVersion', version: null });
    await world.run('key', STREAMS.l2, { kind: 'ArchiveVersion', version: 1 });
    await cold(world);
    await request(world);
    await world.effect(ROTATE);
    expect(await world.lease(1)).toMatchObject({ ok: false, code: 'key_archived' });
    await expect(world.effect(REWRAP)).rejects.toMatchObject({ code: 'key_archived' });
    await world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op-1' });
    await world.effect({ kind: 'rotateL3', tenant: 'acme', key: L3_KEY, operation: 'op-1' });
    expect(await world.lease(2)).toMatchObject({ ok: true, state: 'active' });
    await world.run('key', STREAMS.l2, { kind: 'RecoverVersion', version: 1 });
    await world.effect(REWRAP);
    expect(parents(world)).toEqual(['2', '2']);
    expect(await world.lease(1)).toMatchObject({ ok: true, state: 'deactivated' });
  });

  it('each L3 version is wrapped anew under the new one: the same key, another digest', async () => {
    const world = await rotated();
    const [before] = stateOf(world, L3_KEY).versions;
    world.crashAfter.add('RecordRewrap');
    await expect(world.effect(REWRAP)).rejects.toThrow('crashed');
    await world.effect(REWRAP);
    const [after] = stateOf(world, L3_KEY).versions;
    expect(world.recorded('KeyVersionRewrapped')).toHaveLength(1);
    expect(after).toMatchObject({
      commitment: before!.commitment,
      wrappedBy: { id: l2KeyId('acme'), version: '2' },
    });
    expect(after!.digest).not.toBe(before!.digest);
    await cold(world);
    const unwraps = world.keystore.unwraps('acme');
    expect(await world.lease(1)).toMatchObject({ ok: true });
    expect(world.keystore.unwraps('acme') - unwraps).toBe(1);
  });

  it.each(['rotation', 'wrapping anew'])(
    'a vault that fails in the middle of a %s loses no child: it goes on later',
    async (where) => {
      const world = await core();
      await world.onboard();
      await request(world);
      if (where === 'wrapping anew') await world.effect(ROTATE);
      const effect = where === 'rotation' ? ROTATE : REWRAP;
      const put = world.vault.put.bind(world.vault);
      world.vault.put = () => Promise.reject(new Error('disk'));
      await expect(world.effect(effect)).rejects.toThrow('disk');
      expect(await world.lease(1)).toMatchObject({ ok: true });
      world.vault.put = put;
      await world.effect(ROTATE);
      await world.effect(REWRAP);
      await cold(world);
      expect(await world.lease(1)).toMatchObject({ ok: true });
      expect(parents(world)).toEqual(['2']);
    },
  );

  it('is refused when the customer says no, which closes the tenant; and waits when nothing was learnt', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    world.keystore.refuse('acme', 'indeterminate', 'root_key_unreachable', 'network');
    await expect(world.effect(ROTATE)).rejects.toMatchObject({ code: 'root_key_unreachable' });
    expect(world.recorded('KeyRotationRefused')).toEqual([]);
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    await world.effect(ROTATE);
    expect(world.recorded('KeyRotationRefused')[0]!.data).toEqual({
      operation: 'op-l2',
      code: 'root_key_disabled',
    });
    await settled();
    expect(world.recorded('LockTaken')).toHaveLength(1);
    expect(await world.lease(1)).toMatchObject({ ok: false, effect: 'denied' });
    world.keystore.enable('acme');
    await world.time.advance(70_000);
    expect(await world.lease(1)).toMatchObject({ ok: true });
  });

  it('is refused for a tenant without its erasure key, which gets no new one', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    world.erasure.blobs.clear();
    await world.effect(ROTATE);
    expect(world.recorded('KeyRotationRefused')[0]!.data).toEqual({
      operation: 'op-l2',
      code: 'integrity',
    });
    expect([...world.erasure.blobs.keys()]).toEqual([]);
  });

  it('is refused under a lock; nothing is wrapped anew under one', async () => {
    const world = await rotated();
    await request(world, 'op-2');
    await world.lock('acme', 'suspended');
    await world.effect({ ...ROTATE, operation: 'op-2' });
    expect(world.recorded('KeyRotationRefused')[0]!.data).toEqual({
      operation: 'op-2',
      code: 'tenant_suspended',
    });
    await expect(world.effect(REWRAP)).rejects.toMatchObject({ code: 'tenant_suspended' });
    await world.unlock('acme', 'rev-suspended');
    await world.effect(REWRAP);
    expect(parents(world)).toEqual(['2']);
  });

  it('is refused while read-only; what is there is wrapped anew, for no key is made', async () => {
    const world = await rotated();
    await request(world, 'op-2');
    await world.lock('acme', 'readOnly');
    await world.effect({ ...ROTATE, operation: 'op-2' });
    expect(world.recorded('KeyRotationRefused')[0]!.data).toEqual({
      operation: 'op-2',
      code: 'tenant_read_only',
    });
    await world.effect(REWRAP);
    expect(parents(world)).toEqual(['2']);
    expect(await world.lease(1)).toMatchObject({ ok: true, access: 'readOnly' });
  });

  it.each(['L2', 'L3'])(
    'one of an %s that nobody asked for ends when nothing was learnt: it comes again in its time',
    async (level) => {
      const world = await core();
      await world.onboard();
      const rotation = { operation: 'op-age', cause: 'age' } as const;
      const key = level === 'L2' ? l2KeyId('acme') : L3_KEY;
      const effect = { kind: `rotate${level}` as 'rotateL2', tenant: 'acme', key, ...rotation };
      await world.run('key', streamOf('key', 'acme', key), {
        kind: 'RequestRotation',
        ...rotation,
      });
      await cold(world);
      world.keys.seal();
      await expect(world.effect(effect)).rejects.toMatchObject({ code: 'sealed' });
      world.keys.unsealed();
      world.keystore.refuse('acme', 'indeterminate', 'root_key_unreachable', 'network');
      await world.effect(effect);
      expect(world.recorded('KeyRotationRefused').map(({ data }) => data)).toEqual([
        { operation: 'op-age', code: 'root_key_unreachable' },
      ]);
      expect(world.rotations).toEqual(['age refused']);
    },
  );

  it('a keystore that does not answer is not asked more because somebody wants a rotation', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    await cold(world);
    world.keystore.refuse('acme', 'indeterminate', 'root_key_unreachable', 'network');
    const before = world.keystore.calls.length;
    for (let at = 0; at < 20; at += 1)
      await expect(world.effect(ROTATE)).rejects.toMatchObject({ code: 'root_key_unreachable' });
    expect(world.keystore.calls.length - before).toBe(1);
  });

  it('a shred between rotation and wrapping anew leaves nothing, and nothing comes after it', async () => {
    const world = await rotated();
    await world.kill();
    await expect(world.effect(REWRAP)).rejects.toMatchObject({ code: 'tenant_killed' });
    await world.effect(SHRED);
    const left = [...world.vault.blobs.keys()].filter((key) => /^l[23]\/acme\//.test(key));
    expect({ left, erasureKeys: world.erasure.blobs.size }).toEqual({ left: [], erasureKeys: 0 });
    for (const stream of [STREAMS.l2, STREAMS.l3])
      await world.run('key', stream, { kind: 'RecordShredded', revocation: 'rev-killed' });
    await world.effect(ROTATE);
    await world.effect(REWRAP);
    expect(world.vault.blobs.size).toBe(0);
  });

  it('a damaged earlier version fails what hangs from it alone, however often it is asked for', async () => {
    const world = await rotated();
    await world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op-l3' });
    await world.effect({ kind: 'rotateL3', tenant: 'acme', key: L3_KEY, operation: 'op-l3' });
    const [old] = stateOf(world, l2KeyId('acme')).versions;
    for (const [path, blob] of world.vault.blobs) if (path.endsWith(old!.digest)) blob[40]! ^= 1;
    await cold(world);
    expect(await world.lease(2)).toMatchObject({ ok: true });
    for (let at = 0; at < 10; at += 1)
      expect(await world.lease(1)).toMatchObject({ ok: false, code: 'integrity' });
    // The planned renewal stands.
    await world.time.advance(65_000);
    expect(world.keys.authority.live('acme')).toBe(true);
    expect(await world.lease(2)).toMatchObject({ ok: true });
  });

  it('an earlier version under another version of the root key neither proves nor closes the tenant', async () => {
    const world = await core();
    await world.onboard();
    world.keystore.rotate('acme');
    await request(world);
    await world.effect(ROTATE);
    await world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op-l3' });
    await world.effect({ kind: 'rotateL3', tenant: 'acme', key: L3_KEY, operation: 'op-l3' });
    await cold(world);
    world.keystore.refuse('acme@1', 'denied', 'root_key_disabled');
    expect(await world.lease(2)).toMatchObject({ ok: true });
    expect(await world.lease(1)).toMatchObject({ effect: 'denied', code: 'root_key_disabled' });
    expect(await world.lease(2)).toMatchObject({ ok: true });
    expect(world.recorded('LockTaken')).toEqual([]);

    world.keystore.enable('acme@1');
    await cold(world);
    world.keystore.refuse('acme@2', 'indeterminate', 'root_key_unreachable', 'network');
    expect(await world.lease(1)).toMatchObject({ ok: false, code: 'root_key_unreachable' });
  });
});

describe('destroyVersion and eraseVersion', () => {
  const key = l3KeyId('acme', 'billing');
  const of = { tenant: 'acme', key, version: 1 } as const;
  const ask = async (world: Core, operation: string, acceptUnreported = false) => {
    const { version } = of;
    const cause = 'command';
    await world.run('key', STREAMS.l3, { kind: 'RequestDestruction', version, operation, cause });
    await world.effect({ kind: 'destroyVersion', ...of, operation, acceptUnreported });
  };
  const holder = { edge: 'e1', boot: 'b' };
  const told = async (world: Core, seq: number, more: object) => {
    await world.keys.usage.record({
      holder: 'edge:e1',
      boot: 'b',
      seq,
      from: '2030-01-01T00:00:00.000Z',
      to: '2030-01-01T00:00:10.000Z',
      entries: [],
      statement: 'a.b.c',
      ...more,
    });
    world.keys.observe(world.ledger.events.at(-1) as never);
  };
  const entry = (operation: string, ok: number, moved?: readonly string[]) => ({
    ...of,
    operation,
    ok,
    refused: {},
    bytes: 0,
    ...(moved && { moved }),
  });
  /** Three records under version 1, which was rotated away; `grant`: who could protect with it. */
  async function used(): Promise<{ readonly world: Core; readonly grant: string }> {
    const world = await core();
    await world.onboard();
    const lease = await world.keys.desk.lease(holder, keyVersionUid(of), 'grant', 10);
    if (!lease.ok) throw new Error(lease.code);
    world.keys.observe(world.ledger.events.at(-1) as never);
    await told(world, 1, { entries: [entry('encrypt', 3)] });
    await world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op' });
    await world.effect({ kind: 'rotateL3', tenant: 'acme', key, operation: 'op' });
    return { world, grant: lease.grantId };
  }
  const refusals = (world: Core) => world.recorded('KeyDestructionRefused').map(({ data }) => data);

  it('what is in use, or may be, is refused with the count; what was moved off it may go', async () => {
    const { world, grant } = await used();
    await ask(world, 'd1');
    expect(refusals(world)).toMatchObject([{ code: 'key_in_use', inUse: 3, unreported: 1 }]);
    const closed = [{ uid: keyVersionUid(of), grantId: grant }];
    await told(world, 2, { entries: [entry('rewrapFrom', 2, ['a', 'b'])], closed });
    await ask(world, 'd2');
    expect(refusals(world)[1]).toEqual({
      version: 1,
      operation: 'd2',
      code: 'key_in_use',
      inUse: 1,
    });
    await told(world, 3, { entries: [entry('rewrapFrom', 2, ['b', 'c'])] });
    await ask(world, 'd3');
    expect(world.types(STREAMS.l3).at(-1)).toBe('KeyVersionDestroyed');
    expect(await world.lease(1)).toMatchObject({ ok: false, code: 'key_destroyed' });
    expect(await world.lease(2)).toMatchObject({ ok: true });
  });

  it('what an Edge may hold back is accepted by whoever says so, what is in use by nobody', async () => {
    const { world } = await used();
    await ask(world, 'd1', true);
    expect(refusals(world)).toHaveLength(1);
    await told(world, 2, { entries: [entry('rewrapFrom', 3, ['a', 'b', 'c'])] });
    await ask(world, 'd2');
    expect(refusals(world)[1]).toMatchObject({ inUse: 0, unreported: 1 });
    // Its lease may run: it may protect with the version yet, whatever is accepted.
    await ask(world, 'd3', true);
    expect(refusals(world)[2]).toMatchObject({ inUse: 0, unreported: 1 });
    await world.time.advance(61_000);
    await ask(world, 'd4', true);
    expect(world.types(STREAMS.l3).at(-1)).toBe('KeyVersionDestroyed');
  });

  it('of a version of before the ledger was restored or moved not all is told: it goes by a word alone', async () => {
    const { world, grant } = await used();
    const closed = [{ uid: keyVersionUid(of), grantId: grant }];
    await told(world, 2, { entries: [entry('rewrapFrom', 3, ['a', 'b', 'c'])], closed });
    const access = streamOf('access', 'acme');
    await world.run('access', access, { kind: 'RaiseTerm', ledger: 'restored' });
    await ask(world, 'd1');
    expect(refusals(world)).toMatchObject([{ code: 'key_in_use', inUse: 0, unreported: 1 }]);
    await ask(world, 'd2', true);
    expect(world.types(STREAMS.l3).at(-1)).toBe('KeyVersionDestroyed');
  });

  it('one that was ready then may have come into use since: it goes by a word alone too', async () => {
    const world = await core();
    await world.onboard();
    await world.run('key', STREAMS.l3, {
      kind: 'RequestRotation',
      operation: 'op',
      prepare: true,
    });
    await world.effect({ kind: 'rotateL3', tenant: 'acme', key, operation: 'op' });
    const access = streamOf('access', 'acme');
    await world.run('access', access, { kind: 'RaiseTerm', ledger: 'restored' });
    const asked = { ...of, version: 2, operation: 'd1' };
    const { version, operation } = asked;
    const request = { kind: 'RequestDestruction', version, operation, cause: 'command' } as const;
    await world.run('key', STREAMS.l3, request);
    await world.effect({ kind: 'destroyVersion', ...asked, acceptUnreported: false });
    expect(refusals(world)).toMatchObject([{ code: 'key_in_use', inUse: 0, unreported: 1 }]);
  });

  it('of a version of after that all is told', async () => {
    const world = await core();
    await world.tenant('acme');
    const access = streamOf('access', 'acme');
    await world.run('access', access, { kind: 'RaiseTerm', ledger: 'restored' });
    for (const effect of [{ ...CONNECT }, { ...L2 }, { ...L3 }]) await world.effect(effect);
    await world.run('key', STREAMS.l3, { kind: 'RequestRotation', operation: 'op' });
    await world.effect({ kind: 'rotateL3', tenant: 'acme', key, operation: 'op' });
    await ask(world, 'd1');
    expect(world.types(STREAMS.l3).at(-1)).toBe('KeyVersionDestroyed');
  });

  it('what Edges told of a destroyed version is not kept in memory, after a restart neither', async () => {
    const { world } = await used();
    await told(world, 2, { entries: [entry('rewrapFrom', 3, ['a', 'b', 'c'])] });
    await world.time.advance(61_000);
    await ask(world, 'd1', true);
    await world.effect({ kind: 'eraseVersion', ...of });
    for (const event of world.ledger.events) world.keys.observe(event as never);
    expect(world.keys.versionUse.of('acme', key, 1).unreported).toBe(1);
    world.keys.unsealed();
    expect(world.keys.versionUse.of('acme', key, 1).unreported).toBe(0);
  });

  it('Order: the event, then memory and blobs, then the confirmation; a crash in between repeats', async () => {
    const { world, grant } = await used();
    const closed = [{ uid: keyVersionUid(of), grantId: grant }];
    await told(world, 2, { entries: [entry('rewrapFrom', 3, ['a', 'b', 'c'])], closed });
    const blobs = () => [...world.vault.blobs.keys()].filter((path) => path.includes(`${key}/1/`));
    expect(blobs()).toHaveLength(1);
    expect(world.keys.memory.l3('acme', keyVersionUid(of))).not.toBeNull();
    world.crashAfter.add('CompleteDestruction');
    await expect(ask(world, 'd1')).rejects.toThrow('crashed');
    expect(blobs()).toHaveLength(1);
    expect(await world.lease(1)).toMatchObject({ ok: false, code: 'key_destroyed' });
    world.crashAfter.add('RecordErased');
    await expect(world.effect({ kind: 'eraseVersion', ...of })).rejects.toThrow('crashed');
    await world.effect({ kind: 'eraseVersion', ...of });
    expect(blobs()).toEqual([]);
    expect(world.keys.memory.l3('acme', keyVersionUid(of))).toBeNull();
    expect(world.recorded('KeyVersionErased').map(({ data }) => data)).toEqual([
      { version: 1, blobs: 1 },
    ]);
  });

  it('an L2 version goes when every L3 hangs from a later one', async () => {
    const world = await core();
    await world.onboard();
    const l2 = l2KeyId('acme');
    await world.run('key', STREAMS.l2, { kind: 'RequestRotation', operation: 'op' });
    await world.effect({ kind: 'rotateL2', tenant: 'acme', key: l2, operation: 'op' });
    const destroy = async (operation: string) => {
      const asked = { version: 1, operation, cause: 'command' } as const;
      await world.run('key', STREAMS.l2, { kind: 'RequestDestruction', ...asked });
      const effect = { kind: 'destroyVersion', tenant: 'acme', key: l2, version: 1 } as const;
      await world.effect({ ...effect, operation, acceptUnreported: false });
    };
    await destroy('d1');
    expect(refusals(world)).toMatchObject([{ inUse: 1 }]);
    await world.effect({ kind: 'rewrapL3', tenant: 'acme', key, version: 1 });
    await destroy('d2');
    await world.effect({ kind: 'eraseVersion', tenant: 'acme', key: l2, version: 1 });
    expect(world.types(STREAMS.l2).slice(-2)).toEqual(['KeyVersionDestroyed', 'KeyVersionErased']);
    world.keys.dropTenant('acme', null);
    expect(await world.lease(1)).toMatchObject({ ok: true });
  });
});

describe('probeRootKey', () => {
  const PROBE = {
    kind: 'probeRootKey',
    tenant: 'acme',
    rootKeyId: 'rk-1',
    operation: 'op-p',
  } as const;
  const request = (world: Core) =>
    world.run('rootkeys', STREAMS.rootkeys, {
      kind: 'RequestProbe',
      rootKeyId: 'rk-1',
      operation: 'op-p',
    });

  it('records what it saw, once', async () => {
    const world = await core();
    await world.onboard();
    await request(world);
    await world.effect(PROBE);
    await world.effect(PROBE);
    const probes = world.recorded('RootKeyProbed');
    expect(probes).toHaveLength(1);
    expect(probes[0]!.data).toMatchObject({ outcome: 'ok', code: null });
  });

  it('a probe that is refused makes the tenant’s own key decide, at once', async () => {
    const world = await core();
    await world.onboard();
    expect(await world.lease()).toMatchObject({ ok: true });
    await request(world);
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    await world.effect(PROBE);
    await settled();
    expect(world.recorded('RootKeyProbed')[0]!.data).toMatchObject({
      outcome: 'refused',
      code: 'root_key_disabled',
    });
    expect(world.recorded('LockTaken')).toHaveLength(1);
    expect(world.keys.memory.holds('acme')).toBe(false);
  });

  it('a probe that goes well lifts the keystore’s own lock without waiting for its turn', async () => {
    const world = await core();
    await world.onboard();
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    await world.keys.authority.reprove('acme');
    await world.time.advance(1);
    world.keystore.enable('acme');
    await request(world);
    await world.effect(PROBE);
    await settled();
    expect(world.types(STREAMS.access)).toEqual(['LockTaken', 'LockReleased']);
    expect(await world.lease()).toMatchObject({ ok: true });
  });
});

describe('the newest version of a root key', () => {
  const HOUR = 3_600_000;
  it('is asked for once an hour while nobody uses the tenant; only what is new is an event', async () => {
    const world = await core();
    await world.onboard();
    const resolves = () =>
      world.keystore.calls.filter((call) => call.operation === 'resolve').length;
    const connected = resolves();
    const events = () => world.types(STREAMS.rootkeys).length;
    const before = events();
    await world.time.advance(2 * HOUR);
    expect(resolves() - connected).toBeGreaterThanOrEqual(1);
    expect(resolves() - connected).toBeLessThanOrEqual(2);
    expect(events()).toBe(before);
    world.keystore.rotate('acme');
    await world.time.advance(2.5 * HOUR);
    expect(world.recorded('RootKeyVersionObserved').map(({ data }) => data)).toEqual([
      { rootKeyId: 'rk-1', keyVersion: '2' },
    ]);
    expect(events()).toBe(before + 1);
  });
});

describe('closeCalls', () => {
  it('closes what an earlier boot left open, once, and stops that boot', async () => {
    const world = await core();
    await world.tenant('acme');
    world.keystore.delay();
    const connecting = world.effect(CONNECT);
    await settled();
    const [intent] = world.recorded('KeystoreCallIntended');
    const callId = intent!.data['callId'] as string;
    const next = new KeyService(world.parts('boot-2'));
    await next.started();
    const stream = world.keys.journal.stream;
    const effect = { kind: 'closeCalls', stream, callIds: [callId] } as const;
    const deps = { ...world.deps(), keys: next };
    await runKeyEffect(deps, effect, TRACE(effect));
    await runKeyEffect(deps, effect, TRACE(effect));
    const closed = world.recorded('KeystoreCallOutcomeUnknown');
    expect(closed).toHaveLength(1);
    expect(closed[0]).toMatchObject({ stream, data: { callId }, meta: { tenant: 'acme' } });
    world.keystore.deliver();
    await expect(connecting).rejects.toBeInstanceOf(KcmError);
    expect(world.replaced).toBe(1);
  });

  it('leaves calls of its own boot alone', async () => {
    const world = await core();
    const { stream } = world.keys.journal;
    await world.effect({ kind: 'closeCalls', stream, callIds: ['x'] });
    expect(world.types(stream)).toEqual(['ProcessStarted']);
  });
});

describe('shred', () => {
  it('Order: memory, then the erasure key, then the blobs, then the word', async () => {
    const world = await core();
    await world.onboard();
    await world.lease();
    await world.vault.put('cred/acme/rk-1', Buffer.from('sealed'));
    await world.kill();
    const order: string[] = [];
    const erase = (store: 'erasure' | 'vault') => {
      const inner = world[store].erase.bind(world[store]);
      world[store].erase = async (prefix) => {
        order.push(`${prefix} ${world.keys.memory.holds('acme') ? 'in memory' : 'dropped'}`);
        return inner(prefix);
      };
    };
    erase('erasure');
    erase('vault');
    await world.effect(SHRED);
    expect(order.slice(0, 4)).toEqual([
      'tek/acme dropped',
      'l2/acme dropped',
      'l3/acme dropped',
      'cred/acme dropped',
    ]);
    expect(world.recorded('MaterialShredded')[0]!.data).toMatchObject({
      erasureKeys: 1,
      blobs: 3,
      word: 'recoverable from a disk image',
    });
    expect(world.types(STREAMS.kill).at(-1)).toBe('RevocationShredded');
    expect([...world.vault.blobs.keys(), ...world.erasure.blobs.keys()]).toEqual([]);
  });

  it.each(['tek/acme', 'l3/acme', 'cred/acme'])(
    'a crash after erasing %s still ends with the true counts',
    async (last) => {
      const world = await core();
      await world.onboard();
      await world.kill();
      const store = last.startsWith('tek') ? world.erasure : world.vault;
      const inner = store.erase.bind(store);
      store.erase = async (prefix) => {
        const erased = await inner(prefix);
        if (prefix === last) throw new Error('crashed');
        return erased;
      };
      await expect(world.effect(SHRED)).rejects.toThrow('crashed');
      expect(world.recorded('MaterialShredded')).toEqual([]);
      store.erase = inner;
      await world.effect(SHRED);
      await world.effect(SHRED);
      expect(world.recorded('MaterialShredded').map(({ data }) => data['blobs'])).toEqual([2]);
      expect(world.recorded('MaterialShredded')[0]!.data['erasureKeys']).toBe(1);
    },
  );

  it('yesterday’s copy of the vault opens nothing, with the customer’s key enabled', async () => {
    const world = await core();
    await world.onboard();
    const yesterday = [...world.vault.blobs];
    await world.kill();
    await world.effect(SHRED);
    for (const [key, bytes] of yesterday) world.vault.blobs.set(key, bytes);
    const before = world.keystore.unwraps('acme');
    const state = world.view.keys('acme').get(l2KeyId('acme'))!;
    if (state.status === 'absent') throw new Error('no L2');
    const identity = { tenant: 'acme', key: l2KeyId('acme'), version: 1 };
    const opened = world.keys.hierarchy.openL2(identity, state.versions[0]!, () => {
      throw new Error('the keystore was asked');
    });
    expect(await opened).toMatchObject({ ok: false, cause: 'integrity' });
    expect(world.keystore.unwraps('acme')).toBe(before);
    expect(await world.lease()).toMatchObject({
      ok: false,
      effect: 'denied',
      code: 'tenant_killed',
    });
  });

  it('another tenant keeps all it has', async () => {
    const world = await core();
    await world.onboard();
    await world.onboard('acme2');
    await world.kill();
    await world.effect(SHRED);
    expect([...world.vault.blobs.keys()].every((key) => key.includes('/acme2/'))).toBe(true);
    expect([...world.erasure.blobs.keys()]).toEqual(['tek/acme2']);
    expect(await world.keys.authority.hold('acme2')).toMatchObject({ ok: true });
  });

  it('does nothing that was not asked for', async () => {
    const world = await core();
    await world.onboard();
    await world.lock('acme', 'killed');
    await world.effect(SHRED);
    expect(world.erasure.blobs.size).toBe(1);
  });
});
