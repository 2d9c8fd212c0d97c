import { processProjection, runDecider, TodoRunner } from '@kcm/application';
import { KeyService } from '@kcm/custody';
import {
  type CommandOf,
  type DecidedCategory,
  decidersByCategory,
  defaultPolicy,
  type Decider,
  type DomainEvent,
  eventCatalog,
  type Recorded,
} from '@kcm/domain';
import {
  commandIdOf,
  KcmError,
  KeyedTurns,
  noTracer,
  parseStream,
  Recording,
  type StreamId,
  streamOf,
} from '@kcm/kernel';
import { type Process, processes } from '@kcm/processes';
import { FoldedView, SimulatedTime } from '@kcm/testing';
import { type EffectDeps, type KeyEffect, runKeyEffect } from '../../apps/core/effects/index.js';
import { dispatching, executing } from '../../apps/core/steps.js';
import { Seeded } from '../support/seeded.js';
import { Gate, GatedBlobs, GatedKeystore, GatedLedger, seededRandom } from './gate.js';

type Doc = ReturnType<ReturnType<typeof processProjection>['initial']>;

/** One process manager: its fold of the ledger, as far as it has come, and its list. */
class Manager {
  readonly #docs = new Map<string, Doc>();
  readonly #projection: ReturnType<typeof processProjection>;
  #at = 0;

  constructor(
    private readonly process: Process,
    private readonly ledger: GatedLedger,
    readonly todos: TodoRunner,
  ) {
    this.#projection = processProjection(process);
  }
  get behind(): boolean {
    return this.#at < this.ledger.events.length;
  }
  fold(): void {
    const event = this.ledger.events[this.#at++]!;
    if (!this.process.handles.includes(event.type as Recorded['type'])) return;
    for (const key of this.#projection.keys(event)) {
      const doc = this.#projection.evolve(
        this.#docs.get(key) ?? this.#projection.initial(key),
        event,
        key,
      );
      this.#docs.set(key, JSON.parse(JSON.stringify(doc)) as Doc);
      this.todos.sync(key, this.#docs.get(key)!.due);
    }
  }
}

/**
 * Core with its real deciders, process managers, to-do lists, effects and keys, over stores and a
 * keystore in memory at which everything waits; what goes on next is drawn from the seed. Nothing
 * else decides the order, so that a seed repeats its world.
 */
export class SimWorld {
  readonly draw: Seeded;
  readonly gate: Gate;
  readonly time = new SimulatedTime();
  readonly view = new FoldedView('local');
  readonly ledger: GatedLedger;
  readonly vault: GatedBlobs;
  readonly erasure: GatedBlobs;
  readonly keystore: GatedKeystore;
  readonly keys: KeyService;
  /** What went wrong inside and may not. */
  readonly broken: string[] = [];
  readonly #managers: readonly Manager[];
  readonly #turns = new KeyedTurns();
  #folded = 0;
  #commands = 0;

  constructor(seed: number) {
    this.draw = new Seeded(seed);
    this.gate = new Gate(this.draw);
    const random = seededRandom(this.draw);
    this.ledger = new GatedLedger(this.gate);
    this.vault = new GatedBlobs(this.gate);
    this.erasure = new GatedBlobs(this.gate);
    this.keystore = new GatedKeystore(this.gate, random);
    const { ledger, view, vault, erasure, time } = this;
    const dispatch = dispatching(() => ({ run: this.#decide }) as never);
    const stores = { ledger, view, vault, wrapped: vault, erasure, clock: time, random };
    this.keys = new KeyService({
      ...stores,
      record: dispatch,
      scheduler: time,
      recording: new Recording({ scheduler: time, random, tell: () => {} }),
      driver: async () => this.keystore,
      openCredentials: async (sealed) => sealed,
      region: 'local',
      boot: 'boot-1',
      release: '0',
      onReplaced: () => this.broken.push('replaced'),
    });
    const deps: EffectDeps = {
      ...stores,
      keys: this.keys,
      catalog: eventCatalog,
      dispatch,
      turns: new KeyedTurns(),
      region: 'local',
      onRotation: () => {},
      shredWord: async () => 'recoverable from a disk image',
    };
    const core = {
      run: (effect: unknown, trace: never) => runKeyEffect(deps, effect as KeyEffect, trace),
    };
    const execute = executing(() => core, dispatch, noTracer);
    // A key that is filled with zeros under an effect ends that: it is tried again, and told.
    const onFailed = (_: unknown, error: unknown): void => {
      if (String(error).includes('the secret has been disposed of')) return;
      if (!(error instanceof KcmError) || error.code === 'internal')
        this.broken.push(String(error));
    };
    this.#managers = processes
      .filter(({ name }) => name !== 'receipts')
      .map((process) => {
        const runs = { clock: time, scheduler: time, random, execute, onFailed };
        const todos = new TodoRunner(runs, process.name, { concurrencyMax: 64 });
        return new Manager(process, ledger, todos);
      });
  }

  async begin(): Promise<void> {
    const started = this.keys.started();
    await this.until(started);
    this.keys.unsealed();
  }

  /** Things go on until this is over. */
  async until(promise: Promise<unknown>): Promise<void> {
    while (!(await isOver(promise))) if (!(await this.step())) await this.#wait();
  }

  /** Somebody's command, as over HTTP; its refusal is an answer. */
  async run<K extends DecidedCategory>(
    kind: K,
    stream: StreamId,
    command: CommandOf<K>,
    actor = 'sub-a',
  ): Promise<string> {
    this.#commands += 1;
    const commandId = commandIdOf(['sim', this.#commands]);
    const { category, owner } = parseStream(stream);
    const tenant = category === 'edge' ? null : owner;
    const ids = { commandId, correlationId: commandId, causationId: commandId };
    try {
      await this.#decide(kind, stream, command, { ...ids, tenant, actor, fingerprint: '' });
      return 'accepted';
    } catch (error) {
      if (error instanceof KcmError) return error.code;
      throw error;
    }
  }

  /** From nothing to keys, as soon as things go on. */
  async onboard(tenant: string, policy = defaultPolicy): Promise<void> {
    const stream = streamOf('tenant', tenant);
    await this.run('tenant', stream, {
      kind: 'RegisterTenant',
      homeRegion: 'local',
      policy,
    });
    await this.run('rootkeys', streamOf('rootkeys', tenant), {
      kind: 'RequestConnection',
      rootKeyId: 'rk-1',
      keystore: 'software',
      reference: { url: 'http://127.0.0.1:1', key: tenant },
      mode: 'hyok',
      credentialsDigest: null,
      operation: `connect-${tenant}`,
    });
    await this.run('tenant', stream, { kind: 'ActivateTenant' });
    await this.run('tenant', stream, { kind: 'MapService', service: 'billing' });
  }

  /** One thing goes on, if anything can without time. */
  async step(): Promise<boolean> {
    const able: (() => void)[] = [];
    // One of those that wait is as likely as the whole of what folds.
    if (this.gate.waiting) for (let at = 0; at < 4; at += 1) able.push(() => this.gate.open());
    if (this.#folded < this.ledger.events.length) able.push(() => this.#fold());
    for (const each of this.#managers) if (each.behind) able.push(() => each.fold());
    if (able.length === 0) return false;
    this.draw.pick(able)();
    await drained();
    return true;
  }

  /** Until nothing goes on and nothing is due any more. @throws Error when that does not come */
  async rest(): Promise<void> {
    for (let waits = 0; waits < 400; waits += 1) {
      while (await this.step());
      if (waits > 3 && this.#due.length === 0) return;
      await this.#wait();
    }
    throw new Error(`it never comes to rest: ${JSON.stringify(this.#due)}`);
  }

  get #due() {
    return this.#managers
      .flatMap(({ todos }) => todos.standing())
      .filter(({ dueMs }) => dueMs >= 0);
  }

  async #wait(): Promise<void> {
    await this.time.advance(this.time.untilNext() ?? 1_000);
  }

  #fold(): void {
    const event = this.ledger.events[this.#folded++]!;
    if (parseStream(event.stream).category === 'calls')
      this.keys.observe(eventCatalog.upcast(event) as Recorded);
    this.view.fold([event]);
  }

  readonly #decide = async (
    kind: DecidedCategory,
    stream: StreamId,
    command: unknown,
    context: Parameters<typeof runDecider>[4],
  ) =>
    this.#turns.take(stream, () =>
      runDecider(
        {
          ledger: this.ledger,
          catalog: eventCatalog,
          clock: this.time,
          region: 'local',
          fence: (tenant) => {
            if (tenant === null) return { term: 1, epoch: 0 };
            const { term, epoch } = this.view.access(tenant);
            return { term, epoch };
          },
        },
        decidersByCategory[kind] as unknown as Decider<unknown, unknown, DomainEvent>,
        stream,
        command,
        context,
      ),
    );
}

/** What can go on without the gate has gone on. */
const drained = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

async function isOver(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open');
  await drained();
  return (await Promise.race([promise, Promise.resolve(open)])) !== open;
}
