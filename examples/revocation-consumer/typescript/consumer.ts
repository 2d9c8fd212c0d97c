// Follows kcm.revocations.v1 and says, one JSON line each, what is closed and opened.
// BROKERS=host:port,… [GROUP=kcm.consumer.…] [STATE=file] node consumer.ts
import { existsSync, globSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { Kafka, logLevel } from 'kafkajs';

const {
  BROKERS = '127.0.0.1:9092',
  GROUP = 'kcm.consumer.example',
  STATE = 'state.json',
} = process.env;
/** The one kind of lock that leaves something: every other one ends all use. */
const READ_ONLY = 'readOnly';
const SCHEMAS = join(import.meta.dirname, '..', '..', '..', 'kafka', 'schemas');

interface Lock {
  readonly type: string;
  readonly subject: string;
  readonly kcmtenant: string;
  readonly kcmrevision: number;
  readonly kcmterm: number;
  readonly kcmepoch: number;
  readonly data: { readonly lock: string; readonly kind: string; readonly scope?: object };
}
interface Tenant {
  readonly term: number;
  readonly epoch: number;
  readonly stream: string;
  readonly revision: number;
  /** By id, of what kind. */
  readonly locks: { readonly [lock: string]: string };
  /** No change of access was missed, so that `locks` are all there are. */
  readonly whole: boolean;
}

const validators = new Map<string, ValidateFunction>();
const ajv = new Ajv2020({ allowUnionTypes: true, validateFormats: false });
for (const file of globSync('*.json', { cwd: SCHEMAS })) {
  const validate = ajv.compile(JSON.parse(readFileSync(join(SCHEMAS, file), 'utf8')));
  validators.set(`io.openkcm.${file.replace(/\.json$/, '')}`, validate);
}
const tenants = new Map<string, Tenant>(
  existsSync(STATE) ? JSON.parse(readFileSync(STATE, 'utf8')) : [],
);
const say = (what: object): boolean => process.stdout.write(`${JSON.stringify(what)}\n`);

/** The event; null when it is none or not what its schema says. */
function read(body: Buffer | null): Lock | null {
  try {
    const event = JSON.parse(String(body)) as Lock;
    return validators.get(event.type)?.(event) ? event : null;
  } catch {
    return null;
  }
}

/** What was kept of the tenant stands, unless this is newer: a higher (term, epoch). */
function handle({ type, subject, kcmtenant, kcmrevision, kcmterm, kcmepoch, data }: Lock): void {
  const known = tenants.get(kcmtenant);
  const about = { tenant: kcmtenant, term: kcmterm, epoch: kcmepoch };
  const same = known?.stream === subject && kcmterm === known.term;
  if (same && kcmrevision <= known.revision) return void say({ ignored: 'duplicate', ...about });
  if (known && (kcmterm - known.term || kcmepoch - known.epoch) <= 0)
    return void say({ ignored: 'late', ...about });
  const { [data.lock]: _, ...others } = known?.locks ?? {};
  const taken = type === 'io.openkcm.LockTaken.v1';
  const locks = taken ? { ...others, [data.lock]: data.kind } : others;
  const kinds = Object.values(locks);
  const whole = (known?.whole ?? true) && kcmepoch === (known?.epoch ?? 0) + 1;
  // THE EFFECT: close or open for the tenant in your own system; read-only: stop writing, go on
  // reading what is not closed. It may be asked for twice.
  const limits = data.kind === READ_ONLY ? 'read-only' : 'closed';
  const left = kinds.length > 0 ? 'still read-only' : 'opened';
  const opens = kinds.some((each) => each !== READ_ONLY)
    ? 'still closed'
    : whole
      ? left
      : 'ask Core';
  const effect = taken ? limits : opens;
  say({ effect, ...about, kind: data.kind, ...(taken ? { scope: data.scope } : {}) });
  const at = { term: kcmterm, epoch: kcmepoch, stream: subject, revision: kcmrevision };
  tenants.set(kcmtenant, { ...at, locks, whole });
  writeFileSync(`${STATE}.new`, JSON.stringify([...tenants]));
  renameSync(`${STATE}.new`, STATE);
}

const kafka = new Kafka({ brokers: BROKERS.split(','), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: GROUP });
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void consumer.disconnect());
await consumer.connect();
await consumer.subscribe({ topic: 'kcm.revocations.v1', fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ topic, partition, message }) => {
    const event = read(message.value);
    if (event === null) say({ ignored: 'not an event of the schemas', at: message.offset });
    else if (/^io\.openkcm\.Lock(Taken|Released)\.v1$/.test(event.type)) handle(event);
    // Done, and remembered: only now the message is behind us.
    const offset = String(BigInt(message.offset) + 1n);
    await consumer.commitOffsets([{ topic, partition, offset }]);
  },
});
