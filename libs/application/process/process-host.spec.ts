import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPolicy, eventCatalog, type TenantCommand, tenantDecider } from '@kcm/domain';
import {
  commandIdOf,
  KcmError,
  streamOf,
  systemClock,
  systemRandom,
  systemScheduler,
} from '@kcm/kernel';
import { ownerOf, type Process } from '@kcm/processes';
import { openSqliteReadModels, type SqliteReadModels } from '@kcm/read-models/sqlite';
import { InMemoryLedger } from '@kcm/testing';
import { ProcessHost } from './process-host.js';
import { runDecider } from '../commands/run-decider.js';
import type { ExecuteStep, ItemRef } from './standing.js';

/** What a tenant still needs, step by step: each ends with the event that takes it off. */
const settling: Process<{ readonly tenant: string; readonly next: TenantCommand | null }> = {
  name: 'settling',
  version: 1,
  handles: ['TenantRegistered', 'TenantActivated', 'ServiceMapped', 'ServiceUnmapped'],
  subjects: ownerOf,
  initial: (tenant) => ({ tenant, next: null }),
  evolve(state, event) {
    switch (event.type) {
      case 'TenantRegistered':
        return { ...state, next: { kind: 'ActivateTenant' } };
      case 'TenantActivated':
        return { ...state, next: { kind: 'MapService', service: 'mail' } };
      case 'ServiceMapped':
        return { ...state, next: { kind: 'UnmapService', service: event.data.service } };
      default:
        return { ...state, next: null };
    }
  },
  todo: ({ tenant, next }) =>
    next === null
      ? []
      : [
          {
            id: next.kind,
            step: { kind: 'tenant', stream: streamOf('tenant', tenant), command: next },
          },
        ],
};
const STORY = ['TenantRegistered', 'TenantActivated', 'ServiceMapped', 'ServiceUnmapped'];

describe('ProcessHost', () => {
  let folder: string;
  let ledger: InMemoryLedger;
  let store: SqliteReadModels;
  let hosts: ProcessHost[];
  let failures: { ref: ItemRef | null; error: unknown }[];

  const open = (file = 'read-models.db') => openSqliteReadModels({ file: join(folder, file) });
  const run = (command: TenantCommand, tenant: string, name: string) =>
    runDecider(
      {
        ledger,
        catalog: eventCatalog,
        clock: systemClock,
        region: 'local',
        fence: () => ({ term: 1, epoch: 0 }),
      },
      tenantDecider,
      streamOf('tenant', tenant),
      command,
      {
        commandId: commandIdOf(name),
        fingerprint: '',
        tenant,
        actor: 'process:settling',
        correlationId: name,
        causationId: name,
      },
    );
  const register = (tenant: string) =>
    run({ kind: 'RegisterTenant', homeRegion: 'local', policy: defaultPolicy }, tenant, tenant);
  const execute: ExecuteStep = async (step, { process, subject, item }) => {
    if (step.kind !== 'tenant') throw new Error(`unexpected ${step.kind}`);
    await run(step.command, subject, JSON.stringify([process, subject, item]));
  };
  const host = (how: ExecuteStep = execute, process: Process = settling): ProcessHost => {
    const made = new ProcessHost(
      {
        ledger,
        catalog: eventCatalog,
        writer: store,
        reader: store,
        clock: systemClock,
        scheduler: systemScheduler,
        random: systemRandom,
        report: (_name, error) => failures.push({ ref: null, error }),
        execute: how,
        onFailed: (ref, error) => failures.push({ ref, error }),
      },
      [process],
    );
    hosts.push(made);
    made.start();
    return made;
  };
  const types = async (tenant: string): Promise<readonly string[]> => {
    const page = await ledger.readStream(streamOf('tenant', tenant), 0, 100);
    return page.kind === 'page' ? page.events.map(({ type }) => type) : [];
  };
  const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await holds())) await new Promise((tick) => setImmediate(tick));
  };
  const done = (tenant: string) => until(async () => (await types(tenant)).length === STORY.length);

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-host-'));
    ledger = new InMemoryLedger();
    store = await open();
    hosts = [];
    failures = [];
  });
  afterEach(async () => {
    for (const each of hosts) await each.stop();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it('executes what stands on the list until nothing does, of old and of new subjects', async () => {
    await register('old');
    const made = host();
    await done('old');
    await register('new');
    await done('new');
    expect(await types('old')).toEqual(STORY);
    expect(await types('new')).toEqual(STORY);
    await until(() => made.standing().length === 0);
    expect(made.health()).toMatchObject([{ name: 'process-settling', version: 1, state: 'live' }]);
    expect(failures).toEqual([]);
  });

  it('tells the effect which item it serves', async () => {
    const seen: ItemRef[] = [];
    await register('acme');
    host(async (step, ref) => {
      seen.push(ref);
      await execute(step, ref);
    });
    await done('acme');
    expect(seen.map(({ item }) => item)).toEqual(['ActivateTenant', 'MapService', 'UnmapService']);
    expect(seen[0]).toMatchObject({ process: 'settling', subject: 'acme', item: 'ActivateTenant' });
  });

  it('names the event that put an item on the list, across a restart', async () => {
    const seen: ItemRef[] = [];
    await register('acme');
    const refuse: ExecuteStep = async (_step, ref) => {
      seen.push(ref);
      throw new KcmError('sealed', 'sealed');
    };
    host(refuse);
    await until(() => seen.length > 0);
    await hosts[0]!.stop();
    host(refuse);
    await until(() => seen.length > 1);
    const page = await ledger.readStream(streamOf('tenant', 'acme'), 0, 1);
    const first = page.kind === 'page' ? page.events[0]! : null;
    const { correlationId } = first!.meta;
    for (const { cause } of seen) expect(cause).toEqual({ event: first!.id, correlationId });
  });

  it('spreads what is late where the process says so', async () => {
    const dueAt = '2020-01-01T00:00:00.000Z';
    const patient: Process<{ readonly tenant: string; readonly next: TenantCommand | null }> = {
      ...settling,
      latePerSecondMax: 10,
      todo: (state) => settling.todo(state).map((each) => ({ ...each, dueAt })),
    };
    const tenants = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(tenants.map(register));
    const began: number[] = [];
    const note: ExecuteStep = async (step, ref) => {
      began.push(performance.now());
      await execute(step, ref);
    };
    host(note, patient);
    await Promise.all(tenants.map(done));
    // Fifteen steps: one at once, and each later one a tenth of a second after the one before.
    expect(began.at(-1)! - began[0]!).toBeGreaterThan(1_300);
  });

  // Each of the three steps, killed before its event was stored and after.
  it.each([0, 1, 2, 3, 4, 5])('ends the same when it is killed at point %i', async (point) => {
    await register('acme');
    let passed = 0;
    const killed = new Promise<void>((resolve) => {
      const check = (): void => {
        if (passed === point) resolve();
        if (passed >= point) throw new KcmError('internal', 'killed');
        passed += 1;
      };
      host(async (step, ref) => {
        check();
        await execute(step, ref);
        check();
      });
    });
    await killed;
    await hosts[0]!.stop();
    expect((await types('acme')).length).toBe(1 + Math.ceil(point / 2));
    await store.close();
    store = await open();
    const after = host();
    await done('acme');
    await until(() => after.standing().length === 0);
    expect(await types('acme')).toEqual(STORY);
  });

  it('does nothing again when its own memory is lost: the ledger says what was done', async () => {
    await register('acme');
    host();
    await done('acme');
    await hosts[0]!.stop();
    await store.close();
    store = await open('empty.db');
    const seen: string[] = [];
    const after = host(async (step, ref) => {
      seen.push(ref.item);
      await execute(step, ref);
    });
    await until(() => after.health()[0]!.state === 'live');
    expect(seen).toEqual([]);
  });

  it('finds more open lists at start than one page holds', async () => {
    const tenants = Array.from({ length: 230 }, (_, n) => `t${n}`);
    let sealed = true;
    const sealable: ExecuteStep = async (step, ref) => {
      if (sealed) throw new KcmError('sealed', 'sealed');
      await execute(step, ref);
    };
    await Promise.all(tenants.map(register));
    const first = host(sealable);
    await until(() => first.standing().length === tenants.length);
    await first.stop();
    const second = host(sealable);
    await until(() => second.standing().length === tenants.length);
    await until(() => failures.length > 0);
    sealed = false;
    second.retryNow();
    await Promise.all(tenants.map(done));
    for (const tenant of tenants) expect(await types(tenant)).toEqual(STORY);
  });

  it('says what fails and goes on with other subjects meanwhile', async () => {
    await register('bad');
    const made = host(async (step, ref) => {
      if (ref.subject === 'bad') throw new KcmError('root_key_unreachable', 'unreachable');
      await execute(step, ref);
    });
    await until(() => failures.length > 0);
    await register('good');
    await done('good');
    await until(() => made.standing().length === 1);
    expect(made.standing()).toMatchObject([{ subject: 'bad', item: 'ActivateTenant' }]);
    expect(failures[0]).toMatchObject({ ref: { subject: 'bad' }, error: { code: /unreachable/ } });
  });
});
