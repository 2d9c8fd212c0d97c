import {
  type AccessState,
  accessDecider,
  defaultPolicy,
  type Decider,
  type DomainEvent,
  eventCatalog,
  keyDecider,
  tenantDecider,
} from '@kcm/domain';
import {
  commandIdOf,
  type OneOrMore,
  type Position,
  type RecordedEvent,
  streamOf,
  systemClock,
  systemRandom,
  systemScheduler,
} from '@kcm/kernel';
import { InMemoryLedger, InMemoryLog, sampleEvent } from '@kcm/testing';
import { runDecider } from '../commands/run-decider.js';
import { StreamStates } from './stream-states.js';

describe('StreamStates', () => {
  let ledger: InMemoryLedger;
  let all: StreamStates[];
  let reports: unknown[];
  let observed: string[];
  let commands = 0;

  const states = (over = ledger): StreamStates => {
    const made = new StreamStates({
      ledger: over,
      catalog: eventCatalog,
      region: 'local',
      scheduler: systemScheduler,
      random: systemRandom,
      report: (error) => reports.push(error),
      observe: ({ stream, type }) => observed.push(`${stream} ${type}`),
    });
    all.push(made);
    made.start();
    return made;
  };
  const run = async <C, S, E extends DomainEvent>(
    decider: Decider<C, S, E>,
    stream: ReturnType<typeof streamOf>,
    command: C,
  ): Promise<Position> => {
    commands += 1;
    const handled = await runDecider(
      {
        ledger,
        catalog: eventCatalog,
        clock: systemClock,
        region: 'local',
        fence: () => ({ term: 1, epoch: 0 }),
      },
      decider,
      stream,
      command,
      {
        commandId: commandIdOf(commands),
        fingerprint: '',
        tenant: 'acme',
        actor: 'core',
        correlationId: 'c',
        causationId: 'c',
      },
    );
    return handled.position!;
  };
  const register = (tenant: string) =>
    run(tenantDecider, streamOf('tenant', tenant), {
      kind: 'RegisterTenant',
      homeRegion: 'local',
      policy: defaultPolicy,
    });
  const changePolicy = (tenant: string, leaseSeconds: number) =>
    run(tenantDecider, streamOf('tenant', tenant), {
      kind: 'ChangePolicy',
      policy: { ...defaultPolicy, leaseSeconds },
    });
  const suspend = (tenant: string, lock = 'r1') =>
    run(accessDecider, streamOf('access', tenant), {
      kind: 'TakeLock',
      lock,
      lockKind: 'suspended',
      scope: { all: true },
      owner: 'tenant',
      cause: 'requested',
    });
  const raw = (stream: ReturnType<typeof streamOf>, type: string) =>
    ledger.append(stream, 'noStream', [
      { ...sampleEvent(), type },
    ] as unknown as OneOrMore<RecordedEvent>);

  beforeEach(() => {
    ledger = new InMemoryLedger();
    all = [];
    reports = [];
    observed = [];
  });
  afterEach(async () => {
    for (const each of all) await each.stop();
  });

  it('answers from history once it is ready, and from what comes after', async () => {
    await register('acme');
    await suspend('acme');
    const view = states();
    await view.ready();
    expect(view.tenant('acme').status).toBe('registered');
    expect(view.access('acme').status).toBe('locked');
    expect(view.access('other')).toEqual(accessDecider.initial);
    expect(view.region().status).toBe('uninitialized');
    expect(view.keys('acme').size).toBe(0);
    await view.reached(await register('second'));
    expect([...view.tenants()]).toEqual(['acme', 'second']);
  });

  it('answers nothing before it is ready: a lock may be yet to come', async () => {
    await suspend('acme');
    const view = states();
    expect(() => view.access('acme')).toThrow(/still being read/);
    await view.ready();
    expect(view.access('acme').status).toBe('locked');
  });

  it('has folded what a position names when it says so, operational events included', async () => {
    const view = states();
    await view.ready();
    const { position } = await raw(streamOf('calls', 'local', 'b1'), 'ProcessStarted');
    await view.reached(position);
    const later = await suspend('acme');
    await view.reached(later);
    expect(view.access('acme').status).toBe('locked');
    await view.reached(position);
    expect(view.health()).toEqual({ position: later, state: 'live' });
  });

  it('tells of the calls journals from the first event on, and of nothing else', async () => {
    await suspend('acme');
    await raw(streamOf('calls', 'local', 'b1'), 'ProcessStarted');
    const view = states();
    await view.ready();
    expect(observed).toEqual(['calls-local.b1 ProcessStarted']);
    const { position } = await raw(streamOf('calls', 'local', 'b2'), 'ProcessStarted');
    await view.reached(position);
    expect(observed).toHaveLength(2);
  });

  it('tells each change of access, and the state of each tenant when it becomes ready', async () => {
    await suspend('acme');
    const heard: [string, AccessState['status']][] = [];
    const view = states();
    const stop = view.onAccess((tenant, state) => heard.push([tenant, state.status]));
    view.onAccess(() => {
      throw new Error('a listener of its own mind');
    });
    await view.ready();
    await view.reached(await suspend('other'));
    expect(heard).toEqual([
      ['acme', 'locked'],
      ['other', 'locked'],
    ]);
    stop();
    await view.reached(await suspend('third'));
    expect(heard).toHaveLength(2);
    expect(reports.length).toBe(3);
    expect(view.access('third').status).toBe('locked');
  });

  it('tells of each change of a policy, and of nothing else that a tenant does', async () => {
    await register('acme');
    await changePolicy('acme', 20);
    const view = states();
    const heard: string[] = [];
    const stop = view.onPolicy((tenant) => heard.push(tenant));
    await view.ready();
    await view.reached(await register('other'));
    expect(heard).toEqual([]);
    await view.reached(await changePolicy('acme', 30));
    expect(heard).toEqual(['acme']);
    stop();
    await view.reached(await changePolicy('acme', 40));
    expect(heard).toEqual(['acme']);
  });

  it('tells each event of a key from then on, as it is folded', async () => {
    const stream = streamOf('key', 'acme', 'l3-1');
    const wrapped = { wrappedBy: { id: 'l2-1', version: '1' }, digest: 'd', commitment: 'c' };
    await run(keyDecider, stream, {
      kind: 'CreateKey',
      level: 'L3',
      service: 'billing',
      parent: 'l2-1',
      ...wrapped,
    });
    const view = states();
    const heard: string[] = [];
    const stop = view.onKey((tenant, key, event) => {
      const state = view.keys(tenant).get(key);
      if (state === undefined || state.status === 'absent') throw new Error('not folded yet');
      heard.push(`${tenant} ${key} ${event.type} ${state.versions[0]!.state}`);
    });
    await view.ready();
    const deactivate = { kind: 'DeactivateVersion', version: null } as const;
    await view.reached(await run(keyDecider, stream, deactivate));
    expect(heard).toEqual(['acme l3-1 KeyVersionDeactivated deactivated']);
    stop();
    const archive = { kind: 'ArchiveVersion', version: 1 } as const;
    await view.reached(await run(keyDecider, stream, archive));
    expect(heard).toHaveLength(1);
  });

  it('lets a lock act before its record, once, under the recorded epoch', async () => {
    const view = states();
    await view.ready();
    const heard: [string, AccessState['status'], number][] = [];
    view.onAccess((tenant, state) => heard.push([tenant, state.status, state.epoch]));
    const takeBack = view.foresee('acme', {
      kind: 'TakeLock',
      lock: 'r1',
      lockKind: 'suspended',
      scope: { all: true },
      owner: 'tenant',
      cause: 'requested',
    });
    const { epoch: open } = accessDecider.initial;
    expect(heard).toEqual([['acme', 'locked', open]]);
    const foreseen = view.access('acme');
    expect(foreseen.epoch).toBe(open);
    await view.reached(await suspend('acme'));
    const before = view.access('acme');
    expect(before).toEqual({ ...foreseen, epoch: open + 1 });
    takeBack();
    expect(view.access('acme')).toEqual(before);
    const other = view.foresee('acme', {
      kind: 'TakeLock',
      lock: 'r2',
      lockKind: 'killed',
      scope: { all: true },
      owner: 'tenant',
      cause: 'requested',
    });
    expect(view.access('acme')).toMatchObject({ status: 'killed', epoch: open + 1 });
    other();
    expect(view.access('acme')).toEqual(before);
  });

  it('answers nothing any more after an event that it cannot fold', async () => {
    const view = states();
    await view.ready();
    await view.reached(await register('acme'));
    const waiting = view.reached('9'.repeat(16) as Position);
    const refused = Promise.allSettled([waiting]);
    await raw(streamOf('access', 'acme'), 'LockForgotten');
    expect(await refused).toMatchObject([{ reason: { code: 'integrity' } }]);
    for (const read of [() => view.access('acme'), () => view.tenants(), () => view.region()])
      expect(read).toThrow(/LockForgotten/);
    await expect(view.reached('0' as Position)).rejects.toMatchObject({ code: 'integrity' });
    expect(view.health().state).toBe('failed');
    expect(reports).toHaveLength(1);
  });

  it('is never ready when history holds an event that it does not know', async () => {
    await raw(streamOf('key', 'acme', 'k1'), 'KeyPolished');
    const view = states();
    await expect(view.ready()).rejects.toMatchObject({ code: 'integrity' });
  });

  it('refuses whoever waits when it is stopped', async () => {
    const view = states();
    await view.ready();
    const waiting = Promise.allSettled([view.reached('9'.repeat(16) as Position)]);
    await view.stop();
    expect(await waiting).toMatchObject([{ reason: { code: 'ledger_unavailable' } }]);
    expect(() => view.access('acme')).toThrow(/no longer read/);
  });

  it('goes on where it was when the ledger comes back', async () => {
    const log = new InMemoryLog();
    const first = new InMemoryLedger(log);
    let current = first;
    const over = new InMemoryLedger(log);
    over.feed = (after, signal) => current.feed(after, signal);
    ledger = first;
    const view = states(over);
    await view.reached(await suspend('acme'));
    await first.close();
    current = new InMemoryLedger(log);
    ledger = current;
    await view.reached(await suspend('other'));
    expect(view.access('acme').status).toBe('locked');
    expect(view.access('other').status).toBe('locked');
    expect(reports).toMatchObject([{ code: 'ledger_unavailable' }]);
  });
});
