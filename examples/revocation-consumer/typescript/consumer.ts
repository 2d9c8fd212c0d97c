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
  readonly locks: readonly string[];
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
  const others = (known?.locks ?? []).filter((lock) => lock !== data.lock);
  const closes = type === 'io.openkcm.LockTaken.v1';
  const locks = closes ? [...others, data.lock] : others;
  const whole = (known?.whole ?? true) && kcmepoch === (known?.epoch ?? 0) + 1;
  // THE EFFECT: close or open for the tenant in your own system. It may be asked for twice.
  const opens = whole ? 'opened' : 'ask Core';
  const effect = closes ? 'closed' : locks.length > 0 ? 'still closed' : opens;
  say({ effect, ...about, kind: data.kind, ...(closes ? { scope: data.scope } : {}) });
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
