import type { CallsEvent, Grant, UsageOperation } from '@kcm/domain';
import { commandIdOf, type EventData, eventIdOf, oneOrMore, rfc3339, streamOf } from '@kcm/kernel';
import { CustodyWorld } from '@kcm/testing';
import { compromiseHeld } from './compromise-held.js';
import type { EffectDeps } from './context.js';
import { recordExposures } from './record-exposures.js';

const MINUTE = 60_000;
const CALLS = streamOf('calls', 'local', 'boot-1');
const wrapped = (version: string, id: string) => ({
  wrappedBy: { id, version },
  digest: 'd',
  commitment: 'c',
});
const trace = (name: string) => ({
  actor: 'process:takeover',
  correlationId: 'corr',
  causationId: 'cause',
  commandId: commandIdOf([name]),
});

/** A region whose keys, grants and reports are on the ledger as Core and its Edges wrote them. */
class World extends CustodyWorld {
  #noted = 0;

  deps(): EffectDeps {
    const { ledger, catalog, dispatch, view } = this;
    return { ledger, catalog, dispatch, view, region: 'local' } as unknown as EffectDeps;
  }
  get now(): string {
    return rfc3339(this.time.wallMs());
  }
  async keys(tenant: string): Promise<void> {
    const create = (id: string, command: { level: 'L2' | 'L3'; service: string | null }) =>
      this.run('key', streamOf('key', tenant, id), {
        kind: 'CreateKey',
        parent: command.level === 'L2' ? 'rk' : 'l2',
        ...command,
        ...wrapped('1', command.level === 'L2' ? 'rk' : 'l2'),
      });
    await create('l2', { level: 'L2', service: null });
    await create('l3', { level: 'L3', service: 'billing' });
  }
  async rotate(tenant: string, key: string, from: number, under = '1'): Promise<void> {
    const stream = streamOf('key', tenant, key);
    const operation = `o${from}`;
    await this.run('key', stream, { kind: 'RequestRotation', operation });
    const parent = key === 'l2' ? 'rk' : 'l2';
    const version = wrapped(under, parent);
    await this.run('key', stream, { kind: 'CompleteRotation', from, operation, ...version });
  }
  async #note(event: CallsEvent, tenant: string | null): Promise<void> {
    this.#noted += 1;
    const commandId = commandIdOf(['noted', this.#noted]);
    const meta = {
      commandId,
      fingerprint: '',
      tenant,
      actor: 'core',
      origin: 'local',
      term: 1,
      epoch: 0,
      occurredAt: this.now,
      correlationId: 'c',
      causationId: 'c',
    };
    const id = eventIdOf(commandId, CALLS, 0);
    const stored = oneOrMore([{ id, schemaVersion: 1, ...event, meta }])!;
    await this.ledger.append(CALLS, this.ledger.revision(CALLS), stored);
  }
  grant(tenant: string, holder: string, version = 1, renewed = false): Promise<void> {
    const grant: Grant = {
      grantId: 'g',
      holder,
      boot: 'b',
      key: 'l3',
      version,
      service: 'billing',
      seconds: 60,
      endsAt: rfc3339(this.time.wallMs() + MINUTE),
      epoch: 0,
      callId: 'c',
      providerRequestId: null,
    };
    const type = renewed ? 'LeasesRenewed' : 'LeasesGranted';
    return this.#note({ type, data: { grants: [grant] } }, tenant);
  }
  report(
    tenant: string,
    holder: string,
    ok: Partial<Record<UsageOperation, number>>,
  ): Promise<void> {
    const entries = Object.entries(ok).map(([operation, count]) => ({
      tenant,
      key: 'l3',
      version: 1,
      operation: operation as UsageOperation,
      ok: count,
      refused: {},
      bytes: 1,
    }));
    const [from, to] = [rfc3339(this.time.wallMs() - 10_000), this.now];
    const data = { holder, boot: 'b', seq: 1, from, to, entries, statement: 'a.b.c' };
    return this.#note({ type: 'UsageReported', data }, null);
  }
  compromise(since: string, processing: 'allowed' | 'refused' = 'refused', operation = 'op-1') {
    const effect = { kind: 'compromiseHeld', edge: 'e1', since, until: this.now } as const;
    return compromiseHeld(this.deps(), { ...effect, processing, operation }, trace(operation));
  }
  data(type: string) {
    return this.recorded(type).map(({ stream, data }): EventData => ({ stream, ...data }));
  }
}

describe('An Edge that was taken over', () => {
  let world: World;

  beforeEach(async () => {
    world = new World();
    for (const edge of ['e1', 'e2']) await world.edge(edge);
    for (const tenant of ['acme', 'bank', 'shop']) await world.keys(tenant);
  });

  it('marks each version that it held since then, and no other; counts what it told', async () => {
    await world.grant('shop', 'edge:e1');
    await world.report('acme', 'edge:e1', { encrypt: 7 });
    await world.time.advance(10 * MINUTE);
    const since = world.now;
    await world.time.advance(MINUTE);
    await world.grant('acme', 'edge:e1');
    const [from, to] = [world.now, rfc3339(world.time.wallMs() + 40_000)];
    await world.grant('bank', 'edge:e2');
    await world.time.advance(20_000);
    const does = { encrypt: 3, decrypt: 2, dataKey: 4, dataKeyUnwrap: 1, rewrapFrom: 1 };
    await world.report('acme', 'edge:e1', does);
    await world.report('acme', 'edge:e2', { encrypt: 5, dataKey: 6 });
    await world.time.advance(20_000);
    await world.compromise(since);

    const stream = streamOf('key', 'acme', 'l3');
    const by = 'edge:e1';
    expect(world.data('KeyCompromised')).toEqual([
      { stream, versions: [1], since, processing: 'refused', by },
    ]);
    const uses = { protected: 7, opened: 4, exported: 5, protectedInAll: 25 };
    expect(world.data('KeyExposureRecorded')).toEqual([
      { stream, by, exposure: 'op-1', versions: [{ version: 1, from, to, uses }] },
    ]);
    expect(world.data('EdgeExposureRecorded')).toMatchObject([
      { operation: 'op-1', tenants: 1, keys: 1, versions: 1 },
    ]);
  });

  it('a lease that began before and ran on is held from then; a renewal makes it longer', async () => {
    await world.grant('acme', 'edge:e1');
    await world.time.advance(30_000);
    const since = world.now;
    await world.grant('acme', 'edge:e1', 1, true);
    await world.time.advance(5 * MINUTE);
    await world.compromise(since);
    const to = rfc3339(Date.parse(since) + MINUTE);
    expect(world.data('KeyExposureRecorded')).toMatchObject([{ versions: [{ from: since, to }] }]);
  });

  it('never makes opening free that somebody refused', async () => {
    await world.grant('acme', 'edge:e1');
    const since = world.now;
    const versions = { kind: 'CompromiseVersions', versions: [1], since } as const;
    const key = streamOf('key', 'acme', 'l3');
    await world.run('key', key, { ...versions, processing: 'refused' });
    await world.compromise(since, 'allowed');
    expect(world.data('KeyCompromised')).toHaveLength(1);
    await world.run('key', key, { ...versions, processing: 'allowed' });
    await world.compromise(since, 'refused', 'op-2');
    expect(world.data('KeyCompromised').map((each) => each['processing'])).toEqual([
      'refused',
      'allowed',
      'refused',
    ]);
  });

  it('is told once, whenever it was stopped and begun again', async () => {
    for (const tenant of ['acme', 'bank', 'shop']) await world.grant(tenant, 'edge:e1');
    const since = world.now;
    let left = 0;
    const dispatch: EffectDeps['dispatch'] = async (step, context) => {
      if (left === 0) throw new Error('killed');
      left -= 1;
      return world.dispatch(step, context);
    };
    const effect = { kind: 'compromiseHeld', edge: 'e1', since, until: since } as const;
    const run = () =>
      compromiseHeld(
        { ...world.deps(), dispatch },
        { ...effect, processing: 'refused', operation: 'op-1' },
        trace('op-1'),
      );
    // Killed after each of its steps, those that were done before repeated.
    for (let steps = 1; left === 0; steps += 1) {
      left = steps;
      await run().catch(() => undefined);
    }
    expect(world.recorded('KeyCompromised')).toHaveLength(3);
    expect(world.recorded('KeyExposureRecorded')).toHaveLength(3);
    expect(world.data('EdgeExposureRecorded')).toMatchObject([{ tenants: 3, versions: 3 }]);
  });
});

describe('A key that was said to be compromised', () => {
  const expose = (world: World, key: string, versions: readonly number[], since: string) =>
    recordExposures(
      world.deps(),
      {
        kind: 'recordExposures',
        tenant: 'acme',
        key,
        versions,
        since,
        until: world.now,
        exposure: 'x1',
      },
      trace('x1'),
    );

  it('an L3: by what every holder told of that time', async () => {
    const world = new World();
    await world.keys('acme');
    const since = world.now;
    await world.report('acme', 'edge:e1', { encrypt: 3, dataKey: 1 });
    await world.report('acme', 'edge:e2', { decrypt: 5 });
    await expose(world, 'l3', [1], since);
    const uses = { protected: 4, opened: 5, exported: 1, protectedInAll: 4 };
    expect(world.data('KeyExposureRecorded')).toMatchObject([
      { by: 'key:l3', exposure: 'x1', versions: [{ version: 1, from: since, to: since, uses }] },
    ]);
  });

  it('the L2: with every version of an L3 that ever hung from it, wrapped anew since or not', async () => {
    const world = new World();
    await world.keys('acme');
    await world.rotate('acme', 'l2', 1);
    await world.run('key', streamOf('key', 'acme', 'l3'), {
      kind: 'RecordRewrap',
      version: 1,
      wrappedBy: { id: 'l2', version: '2' },
      digest: 'e',
    });
    await world.rotate('acme', 'l3', 1, '2');
    await expose(world, 'l2', [1], world.now);
    expect(world.data('KeyExposureRecorded')).toMatchObject([
      { stream: streamOf('key', 'acme', 'l3'), by: 'key:l2', versions: [{ version: 1 }] },
      {
        stream: streamOf('key', 'acme', 'l2'),
        by: 'key:l2',
        versions: [{ version: 1, uses: null }],
      },
    ]);
  });
});
