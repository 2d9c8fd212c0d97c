import {
  type CommandOf,
  type DecidedCategory,
  decidersByCategory,
  type Decider,
  defaultPolicy,
  type DomainEvent,
  eventCatalog,
} from '@kcm/domain';
import {
  type CommandId,
  commandIdOf,
  eventIdOf,
  KcmError,
  oneOrMore,
  parseStream,
  type Position,
  type RecordedEvent,
  Recording,
  rfc3339,
  streamOf,
  type StreamId,
  systemRandom,
} from '@kcm/kernel';
import { MemoryBlobs } from '../memory-blobs.js';
import { FakeKeystore } from './fake-keystore.js';
import { FoldedView } from './folded-view.js';
import { MemoryLedger } from './memory-ledger.js';
import { SimulatedTime } from './simulated-time.js';

interface Step {
  readonly kind: DecidedCategory;
  readonly stream: StreamId;
  readonly command: unknown;
}
interface Context {
  readonly commandId: CommandId;
  readonly tenant: string | null;
  readonly actor: string;
  readonly correlationId: string;
  readonly causationId: string;
}

/** One region around a key service: time, ledger, view, stores and the customers' keystore. */
export class CustodyWorld {
  readonly time = new SimulatedTime();
  readonly ledger = new MemoryLedger();
  readonly view = new FoldedView('local');
  readonly vault = new MemoryBlobs();
  readonly erasure = new MemoryBlobs();
  readonly keystore: FakeKeystore;
  replaced = 0;
  #commands = 0;

  constructor(aad = false) {
    this.keystore = new FakeKeystore(systemRandom, aad);
    this.ledger.onStored = this.view.fold;
  }

  /** The dependencies of one boot of a key service over this world. */
  parts(boot: string) {
    return {
      ledger: this.ledger,
      view: this.view,
      vault: this.vault,
      wrapped: this.vault,
      erasure: this.erasure,
      record: this.dispatch,
      driver: async () => this.keystore,
      openCredentials: async (sealed: Buffer) => sealed,
      clock: this.time,
      random: systemRandom,
      scheduler: this.time,
      recording: new Recording({ scheduler: this.time, random: systemRandom, tell: () => {} }),
      region: 'local',
      boot,
      release: '0.0.0',
      onReplaced: () => {
        this.replaced += 1;
      },
    };
  }

  /** Decides and appends, as runDecider does. @throws KcmError the decider's refusal */
  readonly dispatch = async (
    step: Step,
    context: Context,
  ): Promise<{ readonly position: Position | null }> => {
    const { kind, stream, command } = step;
    const decider = decidersByCategory[kind] as unknown as Decider<unknown, unknown, DomainEvent>;
    const stored = this.ledger.events.filter((event) => event.stream === stream);
    const mine = stored.filter((event) => event.meta.commandId === context.commandId);
    if (mine.length > 0) return { position: mine.at(-1)!.position };
    const state = stored.reduce((at, event) => decider.evolve(at, event), decider.initial);
    const decision = decider.decide(command, state);
    if (decision.kind === 'refused') throw new KcmError(decision.code, decision.detail);
    const events = oneOrMore(
      decision.events.map(({ type, data }, at) => ({
        id: eventIdOf(context.commandId, stream, at),
        type,
        schemaVersion: 1,
        data,
        meta: {
          ...context,
          fingerprint: '',
          origin: 'local',
          term: context.tenant === null ? 0 : this.view.access(context.tenant).term,
          epoch: 0,
          occurredAt: rfc3339(this.time.wallMs()),
        },
      })),
    );
    if (events === null) return { position: null };
    return this.ledger.append(stream, this.ledger.revision(stream), events);
  };

  run<K extends DecidedCategory>(kind: K, stream: StreamId, command: CommandOf<K>) {
    this.#commands += 1;
    const commandId = commandIdOf(['world', this.#commands]);
    const { owner, category } = parseStream(stream);
    const tenant = category === 'edge' ? null : owner;
    const context = { commandId, tenant, actor: 'sub-admin' };
    return this.dispatch(
      { kind, stream, command },
      { ...context, correlationId: commandId, causationId: commandId },
    );
  }

  /** An active tenant with one service, a root key asked for under the tenant's own name. */
  async tenant(tenant: string, service = 'billing', leaseSeconds = 60): Promise<void> {
    const stream = streamOf('tenant', tenant);
    const policy = { ...defaultPolicy, leaseSeconds };
    await this.run('tenant', stream, { kind: 'RegisterTenant', homeRegion: 'local', policy });
    await this.run('tenant', stream, { kind: 'ActivateTenant' });
    await this.run('tenant', stream, { kind: 'MapService', service });
    await this.run('rootkeys', streamOf('rootkeys', tenant), {
      kind: 'RequestConnection',
      rootKeyId: 'rk-1',
      keystore: 'software',
      reference: { url: 'http://127.0.0.1:1', key: tenant },
      mode: 'hyok',
      credentialsDigest: null,
      operation: 'op-1',
    });
  }

  async edge(edge: string, services: readonly string[] = ['billing']): Promise<void> {
    await this.run('edge', streamOf('edge', 'local', edge), {
      kind: 'EnrolEdge',
      services,
      certificateSha256: 'ab'.repeat(32),
      notAfter: '2031-01-01T00:00:00.000Z',
    });
  }

  lock(
    tenant: string,
    lockKind: 'suspended' | 'readOnly' | 'killed',
    scope: { service: string } | null = null,
  ) {
    return this.run('access', streamOf('access', tenant), {
      kind: 'TakeLock',
      lock: `rev-${lockKind}`,
      lockKind,
      scope: scope ?? { all: true },
      owner: 'tenant',
      cause: 'test',
    });
  }

  unlock(tenant: string, lock: string) {
    return this.run('access', streamOf('access', tenant), {
      kind: 'ReleaseLock',
      lock,
      owner: 'tenant',
    });
  }

  recorded(type: string): readonly RecordedEvent[] {
    return this.ledger.events.filter((event) => event.type === type);
  }

  readonly catalog = eventCatalog;
}
