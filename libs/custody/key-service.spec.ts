import { type CommandOf, defaultPolicy, KEY_MATRIX, type Standing, STANDINGS } from '@kcm/domain';
import { streamOf, keyVersionUid } from '@kcm/kernel';
import { CustodyWorld, settled } from '@kcm/testing';
import { l2KeyId, l3KeyId } from './keys/key-identity.js';
import { KeyService } from './key-service.js';
import { callTarget } from './calls/keystore-calls.js';
import type { Holder, L3Lease, LeaseRefusal } from './leases/lease-desk.js';
import { ownTrace } from './record-act.js';

const HOLDER: Holder = { edge: 'e1', boot: 'boot-e1' };
const uid = (tenant: string, version = 1) =>
  keyVersionUid({ tenant, key: l3KeyId(tenant, 'billing'), version });

class Region extends CustodyWorld {
  keys = new KeyService(this.parts('boot-1'));

  async open(): Promise<this> {
    await this.keys.started();
    await this.edge('e1');
    this.keys.unsealed();
    return this;
  }

  /** A connected root key, an L2 and the L3 of one service, all as the product makes them. */
  async onboard(tenant: string, leaseSeconds = 60): Promise<void> {
    await this.tenant(tenant, 'billing', leaseSeconds);
    await this.run('rootkeys', streamOf('rootkeys', tenant), {
      kind: 'ConfirmConnection',
      rootKeyId: 'rk-1',
      resolved: `fake/${tenant}`,
      keyVersion: '1',
      callId: 'connect',
      providerRequestId: null,
    });
    const { hierarchy, calls, rootKeys, authority } = this.keys;
    const state = this.view.rootKeys(tenant);
    const entry = state.status === 'some' ? state.keys.get('rk-1')! : null;
    const handle = await rootKeys.get(tenant, entry!);
    const at = callTarget(tenant, entry!);
    const identity = { tenant, key: l2KeyId(tenant), version: 1 };
    const made = await hierarchy.createL2(identity, 'rk-1', (seed, binding) =>
      calls.call(at, 'wrap', 'create', ownTrace('onboard'), (call) =>
        handle.wrap(seed, binding, call),
      ),
    );
    if (!made.ok) throw new Error(made.code);
    made.value.l2.dispose();
    await this.run('key', streamOf('key', tenant, identity.key), {
      kind: 'CreateKey',
      level: 'L2',
      service: null,
      parent: 'rk-1',
      ...made.value.version,
    });
    const held = await authority.l2(tenant, 1);
    if (!held.ok) throw new Error(held.code);
    const key = l3KeyId(tenant, 'billing');
    const parent = { id: identity.key, version: '1' };
    const l3 = await hierarchy.createL3({ tenant, key, version: 1 }, 'billing', parent, held.l2);
    l3.l3.dispose();
    await this.run('key', streamOf('key', tenant, key), {
      kind: 'CreateKey',
      level: 'L3',
      service: 'billing',
      parent: identity.key,
      ...l3.version,
    });
  }

  lease(tenant: string, kind: 'grant' | 'renew' = 'grant'): Promise<L3Lease | LeaseRefusal> {
    return this.keys.desk.lease(HOLDER, uid(tenant), kind, null);
  }
  /** With protect operations. */
  protect(tenant: string): Promise<L3Lease | LeaseRefusal> {
    return this.keys.desk.lease(HOLDER, uid(tenant), 'grant', 1_000);
  }
  material(tenant: string) {
    return this.keys.desk.material(HOLDER, uid(tenant));
  }
  opens(tenant: string): boolean {
    const material = this.material(tenant);
    return !('ok' in material) && !material.disposed;
  }
}

async function region(leaseSeconds = 60): Promise<Region> {
  const world = await new Region().open();
  await world.onboard('acme', leaseSeconds);
  // The proof of the onboarding and its one renewal are over: each test starts cold.
  await world.time.advance(2 * leaseSeconds * 1000);
  return world;
}
const denied = { ok: false, effect: 'denied' };
const indeterminate = { ok: false, effect: 'indeterminate' };

describe('a lease', () => {
  it('rests on an unwrap, is recorded before it is answered, and names the unwrap', async () => {
    const world = await region();
    const lease = await world.lease('acme');
    const [granted] = world.recorded('LeasesGranted');
    const [unwrap] = world.keystore.calls.slice(-1);
    expect(lease).toMatchObject({ ok: true, seconds: 60, callId: unwrap!.callId });
    expect(granted!.data).toMatchObject({ grants: [{ callId: unwrap!.callId, seconds: 60 }] });
    expect(granted!.meta.tenant).toBe('acme');
    expect(world.opens('acme')).toBe(true);
  });

  it('Bound: what is granted late ends with the proof, so that times never add up', async () => {
    const world = await region();
    await world.lease('acme');
    world.keystore.refuse('acme', 'indeterminate', 'root_key_unreachable', 'network');
    await world.time.advance(58_500);
    expect(await world.lease('acme')).toMatchObject({ ok: true, seconds: 1 });
    expect(world.opens('acme')).toBe(true);
    await world.time.advance(1_500);
    expect(world.opens('acme')).toBe(false);
    expect(await world.lease('acme')).toMatchObject(indeterminate);
  });

  it('Bound: an answer that comes late counts from when it was asked for', async () => {
    const world = await region(10);
    world.keystore.delay();
    const asked = world.lease('acme');
    await world.time.advance(4_000);
    expect(await asked).toMatchObject(indeterminate);
    world.keystore.deliver();
    await settled();
    expect(await world.lease('acme')).toMatchObject({ ok: true, seconds: 6 });
    world.keystore.refuse('acme', 'indeterminate', 'root_key_unreachable');
    await world.time.advance(5_900);
    expect(world.opens('acme')).toBe(true);
    await world.time.advance(200);
    expect(world.opens('acme')).toBe(false);
  });

  it('a keystore that does not answer keeps who asks for a second, and hardly at all after that', async () => {
    const world = await region(10);
    world.keystore.delay();
    const first = world.lease('acme');
    await world.time.advance(1_000);
    expect(await first).toMatchObject(indeterminate);
    // That call is given up, and its back-off is over.
    await world.time.advance(6_000);
    const second = world.lease('acme');
    await world.time.advance(25);
    expect(await second).toMatchObject(indeterminate);
    // While a call is under way no time has to pass.
    expect(await world.lease('acme')).toMatchObject(indeterminate);
    world.keystore.deliver();
    await settled();
    expect(await world.lease('acme')).toMatchObject({ ok: true });
  });

  it('an answer that comes after the call was given up gives nothing', async () => {
    const world = await region(10);
    world.keystore.delay();
    const asked = world.lease('acme');
    await world.time.advance(5_100);
    expect(await asked).toMatchObject({ ...indeterminate, code: 'root_key_unreachable' });
    world.keystore.deliver();
    await settled();
    expect(world.keys.authority.live('acme')).toBe(false);
  });

  it('under one second of proof is not given out as a lease', async () => {
    const world = await region(10);
    await world.lease('acme');
    world.keystore.refuse('acme', 'indeterminate', 'root_key_unreachable');
    await world.time.advance(9_100);
    expect(await world.lease('acme')).toMatchObject(indeterminate);
  });

  it('one unwrap at a time, however many ask', async () => {
    const world = await region();
    const before = world.keystore.unwraps('acme');
    const leases = await Promise.all(Array.from({ length: 50 }, () => world.lease('acme')));
    expect(leases.every((lease) => lease.ok)).toBe(true);
    expect(world.keystore.unwraps('acme')).toBe(before + 1);
    const journal = world.ledger.appends.filter(({ stream }) => stream.startsWith('calls-'));
    expect(Math.max(...journal.map(({ count }) => count))).toBe(50);
  });

  it('is renewed before its end only while it is used', async () => {
    const world = await region();
    await world.lease('acme');
    await world.time.advance(20_000);
    await world.lease('acme', 'renew');
    const before = world.keystore.unwraps('acme');
    await world.time.advance(20_000);
    expect(world.keystore.unwraps('acme')).toBe(before + 1);
    await world.time.advance(60_000);
    expect(world.keystore.unwraps('acme')).toBe(before + 1);
    expect(world.keys.memory.holds('acme')).toBe(false);
  });

  it('a shorter policy ends a running proof sooner, a longer one changes nothing', async () => {
    const world = await region();
    await world.lease('acme');
    const change = (leaseSeconds: number) =>
      world.run('tenant', streamOf('tenant', 'acme'), {
        kind: 'ChangePolicy',
        policy: { ...defaultPolicy, leaseSeconds },
      });
    await change(300);
    expect(world.keys.authority.remainingSeconds('acme')).toBe(60);
    await change(10);
    expect(world.keys.authority.remainingSeconds('acme')).toBe(10);
    await change(300);
    expect(world.keys.authority.remainingSeconds('acme')).toBe(10);
  });

  it.each([3_600_000, -3_600_000])('a wall jump of %i ms never lengthens it', async (jump) => {
    const world = await region();
    await world.lease('acme');
    world.keystore.refuse('acme', 'indeterminate', 'root_key_unreachable');
    world.time.jumpWall(jump);
    expect(world.opens('acme')).toBe(jump < 0);
    world.time.jumpWall(-jump);
    expect(world.opens('acme')).toBe(jump < 0);
    await world.time.advance(60_000);
    expect(world.opens('acme')).toBe(false);
  });

  it('is over when the machine slept through it, and use waits for a new proof', async () => {
    const world = await region();
    await world.lease('acme');
    world.time.suspend(61_000);
    await world.time.advance(100);
    expect(world.opens('acme')).toBe(false);
    expect(world.keys.memory.holds('acme')).toBe(false);
    expect(await world.lease('acme')).toMatchObject({ ok: true, seconds: 60 });
  });

  it('a process that did not run for over a second uses nothing before a new proof', async () => {
    const world = await region();
    await world.lease('acme');
    world.time.starve(1_500);
    expect(world.opens('acme')).toBe(false);
    const before = world.keystore.unwraps('acme');
    expect(await world.lease('acme')).toMatchObject({ ok: true });
    expect(world.keystore.unwraps('acme')).toBe(before + 1);
  });
});

describe('data keys', () => {
  const allow = (world: Region, allowExport: boolean) =>
    world.run('tenant', streamOf('tenant', 'acme'), {
      kind: 'ChangePolicy',
      policy: { ...defaultPolicy, allowExport },
    });
  const classes = (world: Region) =>
    [...world.recorded('LeasesGranted'), ...world.recorded('LeasesRenewed')]
      .flatMap(({ data }) => (data as { grants: { class?: string }[] }).grants)
      .map((grant) => grant.class ?? 'leased');

  it('may be given out under a lease while the tenant allows it, and its record says so', async () => {
    const world = await region();
    expect(await world.lease('acme')).toMatchObject({ ok: true, mayExport: false });
    await allow(world, true);
    expect(await world.lease('acme')).toMatchObject({ ok: true, mayExport: true });
    expect(await world.lease('acme', 'renew')).toMatchObject({ ok: true, mayExport: true });
    await allow(world, false);
    expect(await world.lease('acme', 'renew')).toMatchObject({ ok: true, mayExport: false });
    expect(classes(world)).toEqual(['leased', 'exported', 'exported', 'leased']);
  });

  it('may not where it was taken back, or given, while the lease was in flight', async () => {
    const world = await region();
    for (const before of [true, false]) {
      await allow(world, before);
      world.view.hold();
      const inFlight = world.lease('acme');
      const change = allow(world, !before);
      await settled();
      world.view.release();
      await change;
      expect(await inFlight).toMatchObject({ ok: true, mayExport: false });
    }
  });
});

describe('the customer says no', () => {
  it('keys are gone before anything is recorded, and the lock is on the access stream first', async () => {
    const world = await region();
    await world.lease('acme');
    const l3 = world.material('acme');
    const seen: boolean[] = [];
    const fold = world.ledger.onStored;
    world.ledger.onStored = (events) => {
      if (events.some(({ type }) => type === 'LockTaken' || type === 'RootKeyDenied'))
        seen.push(world.keys.memory.holds('acme'), 'ok' in l3 || !l3.disposed);
      fold(events);
    };
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    await world.time.advance(40_000);
    expect(seen).toEqual([false, false, false, false]);
    const acts = world.ledger.events.map(({ type }) => type);
    expect(acts.indexOf('LockTaken')).toBeGreaterThan(-1);
    expect(acts.indexOf('RootKeyDenied')).toBeGreaterThan(acts.indexOf('LockTaken'));
    const [lock] = world.recorded('LockTaken');
    expect(lock!.data).toMatchObject({ kind: 'providerDenied', cause: 'root_key_disabled' });
    expect(await world.lease('acme')).toMatchObject({ ...denied, code: 'root_key_disabled' });
  });

  it('closes at once while the ledger is away, and is recorded when it is back', async () => {
    const world = await region();
    await world.lease('acme');
    const heard: string[] = [];
    world.keys.authority.onClosed(() => {
      throw new Error('a listener that fails');
    });
    world.keys.authority.onClosed((tenant, code) => heard.push(`${tenant} ${code}`));
    world.keystore.refuse('acme', 'denied', 'root_key_forbidden', 'policy');
    world.keystore.delay();
    const proving = world.keys.authority.reprove('acme');
    await settled();
    world.ledger.down = true;
    world.keystore.deliver();
    expect(await proving).toMatchObject(denied);
    expect(world.keys.memory.holds('acme')).toBe(false);
    expect(world.opens('acme')).toBe(false);
    expect(heard).toEqual(['acme root_key_forbidden']);
    expect(world.recorded('LockTaken')).toEqual([]);
    world.ledger.down = false;
    await world.time.advance(6_000);
    expect(world.recorded('LockTaken')).toHaveLength(1);
    expect(world.recorded('RootKeyDenied')).toHaveLength(1);
    expect(world.recorded('KeystoreCallRefused')).not.toHaveLength(0);
  });

  it('clears by itself at the next successful unwrap, once that is recorded', async () => {
    const world = await region();
    await world.lease('acme');
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    await world.time.advance(40_000);
    world.keystore.enable('acme');
    await world.time.advance(61_000);
    expect(world.recorded('LockReleased')).toHaveLength(1);
    expect(world.recorded('RootKeyRestored')).toHaveLength(1);
    expect(await world.lease('acme')).toMatchObject({ ok: true });
    expect(world.opens('acme')).toBe(true);
  });

  it('a new boot finds the lock and clears it by a probe of its own', async () => {
    const world = await region();
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    await world.lease('acme');
    await settled();
    await world.keys.stop();
    world.keys = new KeyService(world.parts('boot-2'));
    await world.keys.started();
    world.keys.unsealed();
    expect(await world.lease('acme')).toMatchObject({ ...denied, code: 'root_key_disabled' });
    world.keystore.enable('acme');
    await world.time.advance(6_000);
    expect(await world.lease('acme')).toMatchObject({ ok: true });
  });

  it('another tenant goes on', async () => {
    const world = await region();
    await world.onboard('bank');
    await world.lease('bank');
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    expect(await world.lease('acme')).toMatchObject(denied);
    expect(await world.lease('bank', 'renew')).toMatchObject({ ok: true });
    expect(world.opens('bank')).toBe(true);
  });

  it('a success that was asked for before a lock gives nothing', async () => {
    const world = await region();
    world.keystore.delay();
    const early = world.lease('acme');
    await settled();
    await world.lock('acme', 'suspended');
    world.keystore.deliver();
    expect(await early).toMatchObject(indeterminate);
    expect(world.keys.memory.holds('acme')).toBe(false);
  });

  it('SelfSuspicion: many tenants of one provider at once are not locked, their leases just end', async () => {
    const world = await new Region().open();
    const names = Array.from({ length: 12 }, (_, at) => `t${at}`);
    for (const name of names) {
      await world.onboard(name);
      expect(await world.lease(name)).toMatchObject({ ok: true });
    }
    for (const name of names) world.keystore.refuse(name, 'denied', 'root_key_forbidden');
    const answers = await Promise.all(names.map((name) => world.keys.authority.reprove(name)));
    const closed = answers.filter((answer) => !answer.ok && answer.effect === 'denied');
    expect(closed.length).toBeLessThan(names.length / 2);
    const open = names.filter((name) => world.opens(name));
    expect(open).toHaveLength(names.length - closed.length);
    await world.time.advance(61_000);
    expect(world.recorded('LockTaken')).toHaveLength(closed.length);
    expect(names.filter((name) => world.opens(name))).toEqual([]);
  });
});

describe('nothing was learnt', () => {
  it.each(['indeterminate', 'credential'] as const)(
    '%s neither closes nor extends: the lease runs to its end',
    async (cause) => {
      const world = await region();
      await world.lease('acme');
      world.keystore.refuse('acme', cause, 'root_key_unreachable', 'network');
      await world.time.advance(55_000);
      expect(world.opens('acme')).toBe(true);
      expect(world.recorded('LockTaken')).toEqual([]);
      expect(world.recorded('RootKeyIndeterminate').length).toBeLessThanOrEqual(1);
      await world.time.advance(5_000);
      expect(world.opens('acme')).toBe(false);
      expect(await world.lease('acme')).toMatchObject(indeterminate);
    },
  );

  it('integrity concerns the blob alone: nothing is locked', async () => {
    const world = await region();
    for (const [key, blob] of world.vault.blobs) if (key.startsWith('l2/')) blob[40]! ^= 1;
    expect(await world.lease('acme')).toMatchObject({ ...indeterminate, code: 'integrity' });
    await world.time.advance(1_000);
    expect(world.recorded('LockTaken')).toEqual([]);
    expect(world.recorded('RootKeyDenied')).toEqual([]);
  });

  it('an idle tenant is probed about every 15 minutes', async () => {
    const world = await region();
    const before = world.keystore.unwraps('acme');
    await world.time.advance(31 * 60_000);
    expect(world.keystore.unwraps('acme') - before).toBe(2);
    const intents = world.recorded('KeystoreCallIntended');
    expect(intents.at(-1)!.data).toMatchObject({ purpose: 'idle' });
  });

  it('no intent recorded, no call', async () => {
    const world = await region();
    const before = world.keystore.calls.length;
    world.ledger.down = true;
    expect(await world.lease('acme')).toMatchObject({
      ...indeterminate,
      code: 'ledger_unavailable',
    });
    expect(world.keystore.calls).toHaveLength(before);
  });

  it('no grant recorded, no lease, though the proof is there', async () => {
    const world = await region();
    await world.lease('acme');
    world.ledger.down = true;
    expect(await world.lease('acme', 'renew')).toMatchObject({
      ...indeterminate,
      code: 'ledger_unavailable',
    });
    expect(world.opens('acme')).toBe(true);
  });
});

describe('locks', () => {
  it('a kill wins over a grant in flight', async () => {
    const world = await region();
    await world.lease('acme');
    world.view.hold();
    const inFlight = world.lease('acme', 'renew');
    const kill = world.lock('acme', 'killed');
    await settled();
    world.view.release();
    await kill;
    expect(await inFlight).toMatchObject({ ...denied, code: 'tenant_killed' });
    expect(world.opens('acme')).toBe(false);
    expect(world.keys.memory.holds('acme')).toBe(false);
  });

  it('suspend refuses, drops, and gives back without loss', async () => {
    const world = await region();
    await world.lease('acme');
    await world.lock('acme', 'suspended');
    expect(world.keys.memory.holds('acme')).toBe(false);
    expect(await world.lease('acme')).toMatchObject({ ...denied, code: 'tenant_suspended' });
    await world.unlock('acme', 'rev-suspended');
    expect(await world.lease('acme')).toMatchObject({ ok: true, epoch: 2 });
  });

  it('a suspended service leaves the others of the tenant alone', async () => {
    const world = await region();
    await world.lease('acme');
    await world.lock('acme', 'suspended', { service: 'payroll' });
    expect(world.opens('acme')).toBe(true);
    await world.unlock('acme', 'rev-suspended');
    await world.lock('acme', 'suspended', { service: 'billing' });
    expect(world.opens('acme')).toBe(false);
    expect(await world.lease('acme')).toMatchObject({ ...denied, code: 'tenant_suspended' });
  });

  const unprotected = { ...denied, code: 'tenant_read_only' };

  it('a read-only refuses to protect, goes on decrypting, and gives back without loss', async () => {
    const world = await region();
    expect(await world.protect('acme')).toMatchObject({ ok: true, access: 'open' });
    await world.lock('acme', 'readOnly');
    expect(world.opens('acme')).toBe(true);
    const unwraps = world.keystore.unwraps('acme');
    expect(await world.protect('acme')).toMatchObject(unprotected);
    expect(world.recorded('LeaseRefused').at(-1)!.data).toMatchObject({ code: 'tenant_read_only' });
    expect(await world.lease('acme')).toMatchObject({ ok: true, access: 'readOnly', epoch: 1 });
    expect(await world.lease('acme', 'renew')).toMatchObject({ ok: true, access: 'readOnly' });
    // Nothing was dropped: the keys and their proof are the ones of before.
    expect(world.keystore.unwraps('acme')).toBe(unwraps);
    await world.unlock('acme', 'rev-readOnly');
    expect(await world.protect('acme')).toMatchObject({ ok: true, access: 'open', epoch: 2 });
  });

  it('a read-only lasts: the proof is renewed, and a new boot knows of it', async () => {
    const world = await region();
    await world.lock('acme', 'readOnly');
    for (let minute = 0; minute < 30; minute += 1) {
      expect(await world.lease('acme')).toMatchObject({ ok: true, access: 'readOnly' });
      await world.time.advance(30_000);
    }
    await world.keys.stop();
    world.keys = new KeyService(world.parts('boot-2'));
    await world.keys.started();
    world.keys.unsealed();
    expect(await world.protect('acme')).toMatchObject(unprotected);
    expect(await world.lease('acme')).toMatchObject({ ok: true, access: 'readOnly' });
  });

  it('a read-only wins over an allocation in flight, and over no lease that decrypts', async () => {
    const world = await region();
    await world.lease('acme');
    world.view.hold();
    const inFlight = [world.protect('acme'), world.lease('acme', 'renew')];
    const lock = world.lock('acme', 'readOnly');
    await settled();
    world.view.release();
    await lock;
    expect(await inFlight[0]).toMatchObject(unprotected);
    expect(await inFlight[1]).toMatchObject({ ok: true, access: 'readOnly', epoch: 1 });
  });

  it('a read-only of one service leaves the others of the tenant alone', async () => {
    const world = await region();
    await world.lock('acme', 'readOnly', { service: 'payroll' });
    expect(await world.protect('acme')).toMatchObject({ ok: true, access: 'open' });
    await world.unlock('acme', 'rev-readOnly');
    await world.lock('acme', 'readOnly', { service: 'billing' });
    expect(await world.protect('acme')).toMatchObject(unprotected);
    // What is read goes on with the key that is there.
    expect(world.opens('acme')).toBe(true);
  });

  it.each(['suspended', 'killed'] as const)('%s wins over a read-only', async (kind) => {
    const world = await region();
    const code = kind === 'killed' ? 'tenant_killed' : 'tenant_suspended';
    await world.lease('acme');
    await world.lock('acme', 'readOnly');
    await world.lock('acme', kind);
    expect(world.keys.memory.holds('acme')).toBe(false);
    expect(await world.protect('acme')).toMatchObject({ ...denied, code });
    expect(await world.lease('acme')).toMatchObject({ ...denied, code });
    if (kind === 'killed') return;
    await world.unlock('acme', 'rev-suspended');
    expect(await world.protect('acme')).toMatchObject(unprotected);
    expect(await world.lease('acme')).toMatchObject({ ok: true, access: 'readOnly' });
  });

  it('the keystore’s no wins over a read-only, and its yes leaves it', async () => {
    const world = await region();
    await world.lock('acme', 'readOnly');
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    expect(await world.lease('acme')).toMatchObject({ ...denied, code: 'root_key_disabled' });
    expect(await world.protect('acme')).toMatchObject(denied);
    await settled();
    world.keystore.enable('acme');
    await world.time.advance(6_000);
    expect(world.recorded('LockReleased').map(({ data }) => data['kind'])).toEqual([
      'providerDenied',
    ]);
    expect(await world.protect('acme')).toMatchObject(unprotected);
    expect(await world.lease('acme')).toMatchObject({ ok: true, access: 'readOnly' });
  });

  it('under a suspend a success lifts the keystore’s lock alone, and keeps nothing in memory', async () => {
    const world = await region();
    world.keystore.refuse('acme', 'denied', 'root_key_disabled');
    expect(await world.lease('acme')).toMatchObject(denied);
    await settled();
    await world.lock('acme', 'suspended');
    world.keystore.enable('acme');
    await world.time.advance(6_000);
    expect(world.recorded('LockReleased').map(({ data }) => data['kind'])).toEqual([
      'providerDenied',
    ]);
    expect(world.keys.memory.holds('acme')).toBe(false);
    expect(await world.lease('acme')).toMatchObject({ ...denied, code: 'tenant_suspended' });
    await world.unlock('acme', 'rev-suspended');
    expect(await world.lease('acme')).toMatchObject({ ok: true });
  });

  it('a killed tenant is never probed again', async () => {
    const world = await region();
    await world.lock('acme', 'killed');
    const before = world.keystore.calls.length;
    await world.time.advance(40 * 60_000);
    expect(world.keystore.calls).toHaveLength(before);
  });

  it('seal fills every key with zeros and grants nothing', async () => {
    const world = await region();
    await world.lease('acme');
    const l3 = world.material('acme');
    world.keys.seal();
    expect('ok' in l3 || l3.disposed).toBe(true);
    expect(await world.lease('acme')).toMatchObject({ ...indeterminate, code: 'sealed' });
    world.keys.unsealed();
    expect(await world.lease('acme')).toMatchObject({ ok: true });
  });
});

const since = '2031-05-01T00:00:00.000Z';
const compromise = (processing: 'allowed' | 'refused'): CommandOf<'key'> => ({
  kind: 'CompromiseVersions',
  versions: null,
  since,
  processing,
});
const deactivate: CommandOf<'key'> = { kind: 'DeactivateVersion', version: 1 };
const archive: CommandOf<'key'> = { kind: 'ArchiveVersion', version: 1 };
const destroy: readonly CommandOf<'key'>[] = [
  { kind: 'RequestDestruction', version: 1, operation: 'op', cause: 'command' },
  { kind: 'CompleteDestruction', version: 1, operation: 'op' },
];
/** How version 1, in use from its first moment, comes to stand so. */
const WAYS: { readonly [S in Exclude<Standing, 'pre-active'>]: readonly CommandOf<'key'>[] } = {
  active: [],
  deactivated: [deactivate],
  compromised: [compromise('refused')],
  'compromised-processing': [compromise('allowed')],
  archived: [deactivate, archive],
  destroyed: [deactivate, ...destroy],
  'destroyed-compromised': [compromise('refused'), ...destroy],
};
const isWay = (standing: Standing): standing is keyof typeof WAYS => standing !== 'pre-active';

describe('the state of a version', () => {
  const l3Stream = streamOf('key', 'acme', l3KeyId('acme', 'billing'));
  const codeOf = (answer: L3Lease | LeaseRefusal) => (answer.ok ? 'yes' : answer.code);

  it.each(STANDINGS.filter(isWay))('%s: a lease is what the matrix allows', async (standing) => {
    const row = KEY_MATRIX[standing];
    const world = await region();
    // What Core has in memory before, it has as well after.
    await world.protect('acme');
    for (const command of WAYS[standing]) await world.run('key', l3Stream, command);
    const bare = await world.lease('acme');
    const leased = row.rewrap === 'yes' ? 'yes' : row.process;
    expect([codeOf(bare), codeOf(await world.lease('acme', 'renew'))]).toEqual([leased, leased]);
    expect(codeOf(await world.protect('acme'))).toBe(leased === 'yes' ? row.protect : leased);
    expect(world.opens('acme')).toBe(leased === 'yes');
    if (bare.ok) expect(bare.mayProcess).toBe(row.process === 'yes');
    if (bare.ok && standing.startsWith('compromised')) expect(bare.compromisedSince).toBe(since);
  });

  it('pre-active: there is no lease before it is activated', async () => {
    const world = await region();
    const { hierarchy, authority, desk } = world.keys;
    const [key, id] = [l3KeyId('acme', 'billing'), l2KeyId('acme')];
    await world.run('key', l3Stream, { kind: 'RequestRotation', operation: 'op', prepare: true });
    const held = await authority.l2('acme', 1);
    if (!held.ok) throw new Error(held.code);
    const identity = { tenant: 'acme', key, version: 2 };
    const made = await hierarchy.createL3(identity, 'billing', { id, version: '1' }, held.l2);
    made.l3.dispose();
    const done = { kind: 'CompleteRotation', from: 1, operation: 'op', ...made.version } as const;
    await world.run('key', l3Stream, done);
    expect(codeOf(await desk.lease(HOLDER, uid('acme', 2), 'grant', null))).toBe('key_not_active');
    expect(codeOf(await world.protect('acme'))).toBe('yes');
    await world.run('key', l3Stream, { kind: 'ActivateVersion', version: 2, operation: 'op-2' });
    expect(codeOf(await desk.lease(HOLDER, uid('acme', 2), 'grant', 1))).toBe('yes');
  });

  it('that a rotation changes between the request and its record is the one that counts', async () => {
    const world = await region();
    await world.protect('acme');
    world.view.hold();
    const asked = world.protect('acme');
    await settled();
    await world.run('key', l3Stream, deactivate);
    world.view.release();
    expect(codeOf(await asked)).toBe('key_not_active');
  });

  it('of an L2: what hangs from an archived one opens for nobody, and again when it is back', async () => {
    const world = await region();
    const l2Stream = streamOf('key', 'acme', l2KeyId('acme'));
    await world.protect('acme');
    await world.run('key', l2Stream, compromise('refused'));
    // Nobody is given an L2: what hangs from it is wrapped anew under the next one.
    expect(codeOf(await world.protect('acme'))).toBe('yes');
    await world.run('key', l2Stream, archive);
    expect(codeOf(await world.lease('acme'))).toBe('key_archived');
    expect(world.opens('acme')).toBe(false);
    expect(await world.keys.authority.l2('acme', 1)).toMatchObject({ code: 'key_archived' });
    world.keys.dropTenant('acme', null);
    expect(codeOf(await world.lease('acme'))).toBe('key_archived');
    expect(await world.keys.authority.hold('acme')).toMatchObject({ code: 'key_archived' });
    await world.run('key', l2Stream, { kind: 'RecoverVersion', version: 1 });
    expect(codeOf(await world.protect('acme'))).toBe('yes');
  });
});

describe('who may ask', () => {
  it('another tenant, another service, an L2 and what does not exist look alike', async () => {
    const world = await region();
    await world.onboard('bank');
    await world.edge('e2', ['payroll']);
    const payroll: Holder = { edge: 'e2', boot: 'b' };
    const { desk } = world.keys;
    const answers = await Promise.all([
      desk.lease(payroll, uid('bank'), 'grant', null),
      desk.lease(payroll, uid('nobody'), 'grant', null),
      desk.lease(HOLDER, uid('acme', 2), 'grant', null),
      desk.lease(
        HOLDER,
        keyVersionUid({ tenant: 'acme', key: l2KeyId('acme'), version: 1 }),
        'grant',
        1,
      ),
      desk.lease(HOLDER, '../etc/passwd', 'grant', null),
      desk.lease({ edge: 'e9', boot: 'b' }, uid('acme'), 'grant', null),
      desk.locate(payroll, 'acme', 'billing'),
      desk.locate(HOLDER, 'acme', 'payroll'),
      desk.locate(HOLDER, 'nobody', 'billing'),
    ]);
    const alike = { ok: false, effect: 'denied', code: 'not_found' };
    for (const answer of answers) expect(answer).toEqual(alike);
    expect(desk.material(payroll, uid('acme'))).toEqual(alike);
    await settled();
    expect(world.recorded('LeaseRefused')).toHaveLength(answers.length);
  });

  it('material only to the holder of a lease', async () => {
    const world = await region();
    await world.edge('e2');
    await world.lease('acme');
    const other = world.keys.desk.material({ edge: 'e2', boot: 'b' }, uid('acme'));
    expect(other).toMatchObject({ ...indeterminate, code: 'lease_expired' });
    const reboot = world.keys.desk.material({ edge: 'e1', boot: 'next' }, uid('acme'));
    expect(reboot).toMatchObject(indeterminate);
  });

  it('refusals are recorded up to a rate', async () => {
    const world = await region();
    for (let ask = 0; ask < 200; ask += 1)
      await world.keys.desk.lease(HOLDER, uid('nobody'), 'grant', null);
    await settled();
    expect(world.recorded('LeaseRefused')).toHaveLength(20);
  });

  it('an old version is leased for decryption only', async () => {
    const world = await region();
    const key = l3KeyId('acme', 'billing');
    const stream = streamOf('key', 'acme', key);
    await world.run('key', stream, { kind: 'RequestRotation', operation: 'op' });
    const held = await world.keys.authority.l2('acme', 1);
    if (!held.ok) throw new Error(held.code);
    const parent = { id: l2KeyId('acme'), version: '1' };
    const next = await world.keys.hierarchy.createL3(
      { tenant: 'acme', key, version: 2 },
      'billing',
      parent,
      held.l2,
    );
    next.l3.dispose();
    await world.run('key', stream, {
      kind: 'CompleteRotation',
      from: 1,
      operation: 'op',
      ...next.version,
    });
    const { desk } = world.keys;
    expect(await desk.locate(HOLDER, 'acme', 'billing')).toMatchObject({ uid: uid('acme', 2) });
    const old = await desk.lease(HOLDER, uid('acme'), 'grant', null);
    expect(old).toMatchObject({ ok: true, state: 'deactivated', replacedBy: uid('acme', 2) });
    expect(world.opens('acme')).toBe(true);
    const protect = await desk.lease(HOLDER, uid('acme'), 'grant', 10);
    expect(protect).toMatchObject({ ...indeterminate, code: 'key_not_active' });
    const current = await desk.lease(HOLDER, uid('acme', 2), 'grant', 10);
    expect(current).toMatchObject({ ok: true, state: 'active', replaces: uid('acme') });
  });

  it('holders are named until their last grant ends, a restart of Core included', async () => {
    const world = await region();
    await world.lease('acme');
    const [held] = world.keys.desk.holders('acme', null);
    expect(held).toMatchObject({ edge: 'e1', boot: 'boot-e1' });
    const next = new KeyService(world.parts('boot-2'));
    for (const event of world.ledger.events) next.observe(event as never);
    expect(next.desk.holders('acme', 'billing')).toEqual([held]);
    expect(next.desk.holders('acme', 'payroll')).toEqual([]);
    await world.time.advance(60_000);
    expect(next.desk.holders('acme', null)).toEqual([]);
  });

  it.each([3_600_000, -3_600_000])(
    'a wall clock %i ms off after a restart hides no holder, and the past names none',
    async (jump) => {
      const world = await region();
      await world.lease('acme');
      // An hour of the same boot, in which the first lease ends and another begins.
      await world.time.advance(3_600_000);
      await world.onboard('other');
      await world.lease('other');
      world.time.jumpWall(jump);
      const next = new KeyService(world.parts('boot-2'));
      for (const event of world.ledger.events) next.observe(event as never);
      expect(next.desk.holders('other', null)).toHaveLength(1);
      expect(next.desk.holders('acme', null)).toEqual([]);
      await world.time.advance(60_000);
      expect(next.desk.holders('other', null)).toEqual([]);
    },
  );

  it.each([3_600_000, -3_600_000])(
    'a wall jump of %i ms neither hides a holder nor keeps it',
    async (jump) => {
      const world = await region();
      await world.lease('acme');
      const [held] = world.keys.desk.holders('acme', null);
      world.time.jumpWall(jump);
      expect(world.keys.desk.holders('acme', null)).toEqual([held]);
      await world.time.advance(60_000);
      expect(world.keys.desk.holders('acme', null)).toEqual([]);
    },
  );
});

describe('a Core that was replaced', () => {
  it('zeroizes and stops at the first append that conflicts', async () => {
    const world = await region();
    await world.lease('acme');
    const stream = world.keys.journal.stream;
    const last = world.ledger.events.at(-1)!;
    await world.ledger.append(stream, world.ledger.revision(stream), [
      { ...last, id: 'another' as never },
    ]);
    expect(await world.lease('acme', 'renew')).toMatchObject(indeterminate);
    expect(world.replaced).toBe(1);
    expect(world.keys.memory.holds('acme')).toBe(false);
    expect(await world.lease('acme')).toMatchObject({ ...indeterminate, code: 'sealed' });
  });
});
