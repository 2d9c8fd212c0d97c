import {
  accessDecider,
  type CommandOf,
  defaultPolicy,
  eventCatalog,
  tenantDecider,
} from '@kcm/domain';
import { commandIdOf, KcmError, streamOf, systemClock } from '@kcm/kernel';
import { type Appended, type Ledger, LedgerConflict, LedgerOutcomeUnknown } from '@kcm/ledger';
import { MemoryLedger } from '@kcm/testing';
import type { CommandContext } from './command-context.js';
import { type DeciderDeps, runDecider } from './run-decider.js';

const stream = streamOf('tenant', 'acme');
const register = {
  kind: 'RegisterTenant',
  homeRegion: 'local',
  policy: defaultPolicy,
} as const;

function context(key: string, fingerprint = 'f', more: Partial<CommandContext> = {}) {
  const commandId = commandIdOf([key]);
  return {
    commandId,
    fingerprint,
    tenant: 'acme',
    actor: 'sub-x',
    correlationId: 'c',
    causationId: commandId,
    ...more,
  };
}
const depsOf = (ledger: Ledger): DeciderDeps => ({
  ledger,
  catalog: eventCatalog,
  clock: systemClock,
  region: 'local',
  fence: () => ({ term: 1, epoch: 0 }),
});
const handle = (
  ledger: Ledger,
  command: Parameters<typeof tenantDecider.decide>[0],
  at: CommandContext,
) => runDecider(depsOf(ledger), tenantDecider, stream, command, at);

describe('runDecider', () => {
  it('answers a repeated command from its own events, also after the stream moved on', async () => {
    const ledger = new MemoryLedger();
    const first = await handle(ledger, register, context('one'));
    await handle(ledger, { kind: 'ActivateTenant' }, context('two'));
    const again = await handle(ledger, register, context('one'));
    expect(again.replayed).toBe(true);
    expect(again.revision).toBe(first.revision);
    expect(again.position).toBe(first.position);
    const page = await ledger.readStream(stream, 0, 10);
    expect(page.kind === 'page' && page.events.length).toBe(2);
  });

  it('refuses the same key with another body', async () => {
    const ledger = new MemoryLedger();
    await handle(ledger, register, context('one'));
    await expect(handle(ledger, register, context('one', 'other'))).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
  });

  it('refuses when the caller saw another revision', async () => {
    const ledger = new MemoryLedger();
    await handle(ledger, register, context('one'));
    const stale = context('two', 'f', { ifRevision: 7 });
    await expect(handle(ledger, { kind: 'ActivateTenant' }, stale)).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    const seen = context('three', 'f', { ifRevision: 0 });
    expect((await handle(ledger, { kind: 'ActivateTenant' }, seen)).revision).toBe(1);
  });

  it('decides anew after a conflict, and gives up after the limit', async () => {
    const ledger = new MemoryLedger();
    let conflicts = 2;
    const append = ledger.append.bind(ledger);
    ledger.append = (...args: Parameters<Ledger['append']>): Promise<Appended> => {
      conflicts -= 1;
      return conflicts >= 0
        ? Promise.reject(new LedgerConflict(stream, args[1], 5))
        : append(...args);
    };
    expect((await handle(ledger, register, context('one'))).revision).toBe(0);
    conflicts = 99;
    await expect(handle(ledger, { kind: 'ActivateTenant' }, context('two'))).rejects.toMatchObject({
      code: 'revision_conflict',
    });
  });

  it('repeats an append of unknown outcome with the same ids, storing it once', async () => {
    const ledger = new MemoryLedger();
    const append = ledger.append.bind(ledger);
    let lost = 1;
    ledger.append = async (...args: Parameters<Ledger['append']>): Promise<Appended> => {
      const appended = await append(...args);
      lost -= 1;
      if (lost === 0) throw new LedgerOutcomeUnknown();
      return appended;
    };
    const handled = await handle(ledger, register, context('one'));
    expect(handled.replayed).toBe(true);
    const page = await ledger.readStream(stream, 0, 10);
    expect(page.kind === 'page' && page.events.length).toBe(1);
  });

  it('names the fence as known, and the raised term or epoch of the event that raises it', async () => {
    const ledger = new MemoryLedger();
    const access = streamOf('access', 'acme');
    const run = (command: CommandOf<'access'>, key: string) =>
      runDecider(depsOf(ledger), accessDecider, access, command, context(key));
    const block = { lock: 'b1', lockKind: 'blocked', owner: 'platform', cause: 'x' } as const;
    await run({ kind: 'TakeLock', scope: { all: true }, ...block }, 'one');
    await run({ kind: 'RaiseTerm', ledger: 'other' }, 'two');
    const page = await ledger.readStream(access, 0, 10);
    const fences = page.kind === 'page' && page.events.map(({ meta }) => [meta.term, meta.epoch]);
    expect(fences).toEqual([
      [1, 1],
      [2, 0],
    ]);
  });

  it('asks what a command rests on elsewhere before it is decided, not when it comes again', async () => {
    const ledger = new MemoryLedger();
    const closed = () => {
      throw new KcmError('tenant_blocked', 'Not now.');
    };
    const run = (guard: () => void) =>
      runDecider(depsOf(ledger), tenantDecider, stream, register, context('one'), guard);
    await expect(run(closed)).rejects.toMatchObject({ code: 'tenant_blocked' });
    expect(await ledger.head()).toBeNull();
    await run(() => {});
    expect((await run(closed)).replayed).toBe(true);
  });

  it('writes nothing for a refusal and for what is so already', async () => {
    const ledger = new MemoryLedger();
    await expect(handle(ledger, { kind: 'ActivateTenant' }, context('x'))).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await ledger.head()).toBeNull();
    await handle(ledger, register, context('one'));
    const same = await handle(
      ledger,
      { kind: 'ChangePolicy', policy: defaultPolicy },
      context('p'),
    );
    expect(same).toMatchObject({ events: [], revision: 0, position: null });
  });
});
