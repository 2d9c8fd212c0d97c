import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cloudEventOf } from '@kcm/application';
import { eventually } from '@kcm/testing';
import type { EventDoc } from '@projections/events';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { ensureConfluentKafka } from '../../scripts/services/confluent-kafka.mjs';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';

const TOPIC = 'kcm.revocations.v1';
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples', 'revocation-consumer');
type Line = { readonly [word: string]: unknown };
/** kafkajs waits for times that are past. */
const QUIET = '--disable-warning=TimeoutNegativeWarning';
/** A message: its key and its body. */
type Sent = readonly [tenant: string, body: string];

let dir: string;
let broker: RunningKafka;
let packages: string;
let producer: Producer;
let kafka: Kafka;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kcm-consumers-'));
  [broker, packages] = await Promise.all([startKafka({ dir }), ensureConfluentKafka()]);
  kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
  producer = kafka.producer();
  await producer.connect();
}, 180_000);
afterAll(async () => {
  await producer.disconnect();
  await broker.stop();
  await rm(dir, { recursive: true });
});

/** The group has every message behind it. */
async function allBehind(group: string): Promise<boolean> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const [ends, [read]] = await Promise.all([
      admin.fetchTopicOffsets(TOPIC),
      admin.fetchOffsets({ groupId: group, topics: [TOPIC] }),
    ]);
    return ends.every(
      ({ partition, offset }) =>
        offset === '0' ||
        read!.partitions.some((at) => at.partition === partition && at.offset === offset),
    );
  } finally {
    await admin.disconnect();
  }
}

/** A consumer as somebody runs it: a process with its state in a file, and what it prints. */
class Running {
  readonly lines: Line[] = [];
  #child: ChildProcess | null = null;

  constructor(
    private readonly command: readonly [string, string, ...string[]],
    private readonly state: string,
  ) {}

  start(group: string): void {
    const [program, script, ...flags] = this.command;
    const env = { ...process.env, BROKERS: broker.brokers, GROUP: group, STATE: this.state };
    const child = spawn(program, [...flags, join(EXAMPLES, script)], {
      env: { ...env, PYTHONPATH: packages },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface(child.stdout).on('line', (line) => this.lines.push(JSON.parse(line) as Line));
    this.#child = child;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

const docOf = (tenant: string, type: string, epoch: number, more: Partial<EventDoc>): EventDoc => ({
  tenant,
  position: String(epoch).padStart(16, '0') as EventDoc['position'],
  id: randomUUID() as EventDoc['id'],
  type,
  schemaVersion: 1,
  stream: `access-${tenant}` as EventDoc['stream'],
  revision: epoch - 1,
  at: '2030-01-01T00:00:37.000Z',
  origin: 'local',
  term: 1,
  epoch,
  correlationId: 'corr-1',
  causationId: 'corr-1',
  data: {},
  ...more,
});
const sent = (doc: EventDoc): Sent => [doc.tenant, JSON.stringify(cloudEventOf(doc))];
const kind = 'suspended';
const taken = (
  tenant: string,
  epoch: number,
  lock: string,
  more: Partial<EventDoc> = {},
  of = kind,
): Sent => {
  const data = { lock, kind: of, scope: { all: true }, owner: 'tenant', cause: 'request', epoch };
  return sent(docOf(tenant, 'LockTaken', epoch, { data, ...more }));
};
const released = (tenant: string, epoch: number, lock: string, of = kind): Sent =>
  sent(docOf(tenant, 'LockReleased', epoch, { data: { lock, kind: of, epoch } }));

const publish = (...messages: readonly Sent[]) =>
  producer.send({ topic: TOPIC, messages: messages.map(([key, value]) => ({ key, value })) });
const about = (tenant: string, epoch: number, term = 1) => ({ tenant, term, epoch });
const closed = (tenant: string, epoch: number, term = 1): Line => ({
  effect: 'closed',
  ...about(tenant, epoch, term),
  kind,
  scope: { all: true },
});
const opens = (effect: string, tenant: string, epoch: number): Line => ({
  effect,
  ...about(tenant, epoch),
  kind,
});
const NO_EVENT = { ignored: 'not an event of the schemas', at: expect.any(String) };

describe.each([
  ['TypeScript', [process.execPath, 'typescript/consumer.ts', QUIET]],
  ['Python', ['python3', 'python/consumer.py']],
] as const)('The consumer of revocations in %s', (language, command) => {
  let consumer: Running;
  let group: string;
  beforeAll(async () => {
    const admin = kafka.admin();
    await admin.connect();
    const known = await admin.listTopics();
    if (known.includes(TOPIC)) {
      await admin.deleteTopics({ topics: [TOPIC] });
      await eventually(async () => !(await admin.listTopics()).includes(TOPIC));
    }
    await admin.createTopics({
      topics: [{ topic: TOPIC, numPartitions: 1 }],
      waitForLeaders: true,
    });
    await admin.disconnect();
    await mkdir(join(dir, language));
    consumer = new Running(command, join(dir, language, 'state.json'));
    group = `kcm.consumer.${language}`;
    consumer.start(group);
  });
  afterAll(() => consumer.stop('SIGKILL'));

  const saysNext = async (...lines: readonly Line[]): Promise<void> => {
    await eventually(() => consumer.lines.length >= lines.length);
    expect(consumer.lines.splice(0)).toEqual(lines);
  };

  it('closes and opens once, whatever comes twice, late or is no event', async () => {
    const first = taken('acme', 1, 'rev-1');
    const { scope: _scope, ...lacking } = { scope: 0, lock: 'rev-1', kind, epoch: 9 };
    await publish(
      first,
      first,
      taken('acme', 2, 'rev-2'),
      ['acme', '{'],
      sent(docOf('acme', 'LockTaken', 9, { data: lacking })),
      sent(docOf('acme', 'Unheard', 9, {})),
      released('acme', 3, 'rev-1'),
      // Of a former home of the tenant: a revision that is new, and a lower epoch.
      taken('acme', 2, 'rev-0', { revision: 7 }),
      released('acme', 4, 'rev-2'),
      first,
    );
    await saysNext(
      closed('acme', 1),
      { ignored: 'duplicate', ...about('acme', 1) },
      closed('acme', 2),
      NO_EVENT,
      NO_EVENT,
      NO_EVENT,
      opens('still closed', 'acme', 3),
      { ignored: 'late', ...about('acme', 2) },
      opens('opened', 'acme', 4),
      { ignored: 'duplicate', ...about('acme', 1) },
    );
  });

  it('goes on reading under a read-only, and under nothing else', async () => {
    const [tenant, of] = ['hooli', 'readOnly'];
    await publish(
      taken(tenant, 1, 'rev-1', {}, of),
      taken(tenant, 2, 'rev-2'),
      released(tenant, 3, 'rev-2'),
      taken(tenant, 4, 'rev-3'),
      released(tenant, 5, 'rev-1', of),
      released(tenant, 6, 'rev-3'),
    );
    const readOnly = { kind: of };
    await saysNext(
      { ...closed(tenant, 1), effect: 'read-only', ...readOnly },
      closed(tenant, 2),
      opens('still read-only', tenant, 3),
      closed(tenant, 4),
      { ...opens('still closed', tenant, 5), ...readOnly },
      opens('opened', tenant, 6),
    );
  });

  it('opens nothing of which it missed a change', async () => {
    await publish(
      taken('globex', 3, 'rev-3'),
      released('globex', 4, 'rev-3'),
      taken('globex', 5, 'rev-4', {}, 'readOnly'),
      taken('globex', 6, 'rev-5'),
      released('globex', 7, 'rev-5'),
    );
    await saysNext(
      closed('globex', 3),
      opens('ask Core', 'globex', 4),
      { ...closed('globex', 5), effect: 'read-only', kind: 'readOnly' },
      closed('globex', 6),
      opens('ask Core', 'globex', 7),
    );
  });

  it('closes in a higher term though the revisions begin again', async () => {
    const later = taken('initech', 6, 'rev-7', { term: 2, revision: 0 });
    await publish(taken('initech', 1, 'rev-6', { revision: 9 }), later, later);
    await saysNext(closed('initech', 1), closed('initech', 6, 2), {
      ignored: 'duplicate',
      ...about('initech', 6, 2),
    });
  });

  it('goes on after a restart, and does nothing again when all of it comes again', async () => {
    await consumer.stop('SIGTERM');
    await publish(taken('acme', 5, 'rev-5'), taken('acme', 1, 'rev-6', { term: 2, revision: 8 }));
    consumer.start(group);
    await saysNext(closed('acme', 5), closed('acme', 1, 2));
    // The effect comes before it is remembered, and may come twice: not of what is behind it.
    await eventually(() => allBehind(group));
    await consumer.stop('SIGKILL');
    consumer.start(`${group}-again`);
    await eventually(() => consumer.lines.length >= 26);
    expect(consumer.lines.filter(({ ignored }) => ignored === undefined)).toEqual([]);
  });
});
