import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { search } from '../security/needles.js';
import { askEdge } from '../support/edge-socket.js';
import {
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  Stage,
  type Tenant,
  until,
} from '../support/index.js';
import { runProgram } from '../support/server.js';
import { type TracedSpan, TraceReceiver } from '../support/trace-receiver.js';

jest.setTimeout(60_000);

/** A caller that traces. */
class Caller {
  readonly traceId = randomBytes(16).toString('hex');
  readonly spanId = randomBytes(8).toString('hex');

  constructor(private readonly flags = '01') {}

  get headers() {
    return { traceparent: `00-${this.traceId}-${this.spanId}-${this.flags}` };
  }
}

const stage = new Stage();
let receiver: TraceReceiver;
let region: Region;
let keystore: Keystore;
let edge: EdgeProcess;
let acme: Tenant;
const PLAINTEXT = `plain-${randomBytes(12).toString('hex')}`;
const encrypt = (headers = {}) =>
  askEdge(
    join(edge.data, 'edge', 'billing.sock'),
    '/v1/tenants/acme/encrypt',
    { plaintext: Buffer.from(PLAINTEXT).toString('base64') },
    headers,
  );

beforeAll(async () => {
  receiver = await TraceReceiver.listen(stage);
  region = await new Region(stage, { env: receiver.env }).start();
  keystore = await Keystore.start(stage);
  edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing'], receiver.env);
  acme = await onboard(region, keystore, 'acme');
});
afterAll(() => stage.close());

/** What hangs from nothing that was told, below the caller's own span. */
const loose = (spans: readonly TracedSpan[], { spanId }: Caller): readonly TracedSpan[] => {
  const told = new Set(spans.map((span) => span.spanId).concat(spanId));
  return spans.filter(({ parentSpanId }) => !told.has(parentSpanId));
};

/** From the caller down: `service name` of each span on the way to this one. */
function wayTo(
  spans: readonly TracedSpan[],
  { service, name, parentSpanId }: TracedSpan,
): string[] {
  const parent = spans.find(({ spanId }) => spanId === parentSpanId);
  return [...(parent === undefined ? [] : wayTo(spans, parent)), `${service} ${name}`];
}

/** The ways of the caller's trace, once it is one tree that holds a span of each of these names. */
function treeOf(caller: Caller, names: readonly string[]): Promise<readonly string[]> {
  return until(`${names.join(', ')} in one trace`, 10_000, () => {
    const spans = receiver.of(caller.traceId);
    const whole = names.every((wanted) => spans.some(({ name }) => name === wanted));
    if (!whole || loose(spans, caller).length > 0) return null;
    return waysOf(spans);
  }).catch((error: Error) => {
    throw new Error(`${error.message}, but:\n${waysOf(receiver.of(caller.traceId)).join('\n')}`);
  });
}
const waysOf = (spans: readonly TracedSpan[]): readonly string[] =>
  spans.map((span) => wayTo(spans, span).join(' → '));

describe('One trace, from the caller on', () => {
  it('crosses HTTP, command, ledger, projection and process', async () => {
    const caller = new Caller();
    await acme.anna.post(`${acme.path}/services`, { id: 'mail' }, caller.headers);
    const ways = await treeOf(caller, ['project process-onboarding', 'command key.CreateKey']);
    const http = 'kcm-standalone POST /v1/tenants/:tenant/services';
    const command = `${http} → kcm-standalone command tenant.MapService`;
    expect(ways).toContain(`${command} → kcm-standalone ledger append`);
    expect(ways).toContain(`${command} → kcm-standalone project audit`);
    const effect = `${command} → kcm-standalone effect createL3`;
    expect(ways).toContain(`${effect} → kcm-standalone command key.CreateKey`);
    expect(ways).toContain(
      `${effect} → kcm-standalone command key.CreateKey → kcm-standalone project tenant-keys`,
    );
  });

  it('crosses HTTP, Core, the keystore and Core again when a root key is connected', async () => {
    await region.operator.command('/v1/tenants', { id: 'bank', name: 'Bank' });
    await region.operator.command('/v1/tenants/bank/activate');
    const [bea, key] = await Promise.all([
      region.person('bank', 'bea', 'key-admin'),
      keystore.create('bank'),
    ]);
    const caller = new Caller();
    const body = {
      keystore: 'software',
      reference: { url: keystore.url, key: 'bank' },
      credentials: { token: key.token },
    };
    await bea.post('/v1/tenants/bank/root-keys', body, caller.headers);
    const ways = await treeOf(caller, ['command key.CreateKey', 'effect createL2']);
    const effect =
      'kcm-standalone POST /v1/tenants/:tenant/root-keys → kcm-standalone command ' +
      'rootkeys.RequestConnection → kcm-standalone effect connectRootKey';
    expect(ways).toContain(`${effect} → kcm-standalone keystore unwrap`);
    const logged = keystore.calls(key).map(({ operation, traceId }) => [operation, traceId]);
    expect(logged).toContainEqual(['unwrap', caller.traceId]);
    const call = receiver.of(caller.traceId).find(({ name }) => name === 'keystore unwrap')!;
    expect(keystore.calls(key)).toContainEqual(
      expect.objectContaining({
        callId: call.attributes['kcm.call_id'],
        requestId: call.attributes['kcm.provider_request_id'],
      }),
    );
  });

  it('crosses HTTP, Core and an Edge when a tenant is suspended, and the Edge’s answer', async () => {
    expect((await encrypt()).status).toBe(200);
    const caller = new Caller();
    const reason = { code: 'incident' };
    const lock = { kind: 'suspend', scope: { all: true }, reason };
    const taken = await acme.anna.post<{ id: string }>(
      `${acme.path}/revocations`,
      lock,
      caller.headers,
    );
    expect(taken.status).toBe(201);
    const ways = await treeOf(caller, ['core ack', 'command revocation.RecordAcknowledgement']);
    const told = ways.find((way) => way.endsWith(' → kcm-edge core ack'))!;
    expect(told).toMatch(
      /^kcm-standalone POST \/v1\/tenants\/:tenant\/revocations → .* → kcm-standalone kmip Notify → kcm-edge kmip Notify → kcm-edge core ack$/,
    );
    expect(ways).toContain(
      `${told} → kcm-standalone kmip ModifyAttribute → kcm-standalone command revocation.RecordAcknowledgement`,
    );
    await acme.boris.command(`${acme.path}/revocations/${taken.body.id}/release`);
  });

  it('crosses the Edge’s socket, Core and the keystore when a lease has to be proved', async () => {
    // The suspension took the proof with it.
    const served = await until('service again', 10_000, async () => {
      const caller = new Caller();
      return (await encrypt(caller.headers)).status === 200 ? caller : null;
    });
    const ways = await treeOf(served, ['keystore unwrap', 'core lease']);
    const core =
      'kcm-edge POST /v1/tenants/:tenant/encrypt → kcm-edge core lease → ' +
      'kcm-standalone kmip Locate ObtainLease GetUsageAllocation GetAttributes Get';
    expect(ways).toContain(`${core} → kcm-standalone keystore unwrap`);
    expect(ways).toContain(`${core} → kcm-standalone ledger append`);
    const all = keystore.calls(acme.key).map(({ traceId }) => traceId);
    expect(all).toContain(served.traceId);
  });
});

describe('What a caller may do to traces', () => {
  it('nothing but name its own: a malformed one is not continued', async () => {
    const headers = { traceparent: `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01` };
    const asked = { ...headers, 'x-correlation-id': 'malformed-1' };
    expect((await acme.anna.get(acme.path, asked)).status).toBe(200);
    const [span] = await until('its span', 5_000, () => {
      const found = receiver.spans.filter(
        ({ attributes }) => attributes['kcm.correlation_id'] === 'malformed-1',
      );
      return found.length > 0 ? found : null;
    });
    expect(span).toMatchObject({ name: 'GET /v1/tenants/:tenant', parentSpanId: '' });
    expect(span!.traceId).not.toMatch(/^0+$/);
  });

  it('one that is not recorded by its caller is not recorded here, and goes on as such', async () => {
    const caller = new Caller('00');
    const policy = { leaseSeconds: 11 };
    await acme.anna.call('PUT', `${acme.path}/policy`, policy, caller.headers);
    expect((await encrypt(caller.headers)).status).toBe(200);
    const loud = new Caller();
    await acme.anna.get(acme.path, loud.headers);
    await treeOf(loud, ['GET /v1/tenants/:tenant']);
    expect(receiver.of(caller.traceId)).toEqual([]);
  });

  it('a data-plane request of a caller that does not trace begins no trace', () => {
    const begun = receiver.spans.filter(
      ({ service, kind, parentSpanId }) => service === 'kcm-edge' && kind === 2 && !parentSpanId,
    );
    expect(begun.map(({ name }) => name)).toEqual([]);
  });
});

describe('A customer that says no', () => {
  it('closes its tenant in the trace of whoever asked, with the cause on the call', async () => {
    const lock = { kind: 'suspend', scope: { all: true }, reason: { code: 'incident' } };
    const path = `${acme.path}/revocations`;
    const { id } = await acme.anna.command<{ id: string }>(path, lock);
    await acme.boris.command(`${path}/${id}/release`);
    await keystore.act(acme.key, 'disable');
    const refused = await until('the refusal', 10_000, async () => {
      const caller = new Caller();
      return (await encrypt(caller.headers)).body['code'] === 'root_key_disabled' ? caller : null;
    });
    const ways = await treeOf(refused, ['keystore unwrap', 'command access.TakeLock']);
    const call = receiver.of(refused.traceId).find(({ name }) => name === 'keystore unwrap')!;
    expect(call).toMatchObject({ failed: true, attributes: { 'kcm.cause': 'denied' } });
    const lockTaken = 'keystore unwrap → kcm-standalone command access.TakeLock';
    expect(ways).toContainEqual(expect.stringContaining(`${lockTaken} → kcm-standalone ledger`));
  });
});

describe('What is told', () => {
  it('no plaintext, token, credential or share is in anything exported', () => {
    const file = (name: string) => readFileSync(join(region.data, name));
    const secrets = [
      { name: 'a plaintext', bytes: Buffer.from(PLAINTEXT) },
      { name: 'a keystore token', bytes: Buffer.from(acme.key.token) },
      { name: 'the operator token', bytes: Buffer.from(file('operator-token').toString().trim()) },
      { name: 'the unseal key', bytes: Buffer.from(file('unseal-key').toString().trim()) },
    ];
    const exported = { name: 'the exported spans', bytes: Buffer.concat(receiver.bodies) };
    expect(search(secrets, [exported])).toEqual([]);
    // The search does find what is there.
    const planted = { name: 'acme', bytes: Buffer.from('"acme"') };
    expect(search([planted], [exported])).not.toEqual([]);
    const programs = new Set(receiver.spans.map(({ service, region: at }) => `${service} ${at}`));
    expect([...programs].sort()).toEqual(['kcm-edge local', 'kcm-standalone local']);
    const text = exported.bytes.toString('utf8');
    expect(text).not.toMatch(/process\.(owner|command|executable)|host\.name/);
  });
});

describe('A collector that cannot be reached', () => {
  it('holds up no request and no stop, and is one line in the log', async () => {
    let attempts = 0;
    const away = createServer((socket) => {
      attempts += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => away.listen(0, '127.0.0.1', resolve));
    stage.atEnd(() => away.close());
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(away.address() as AddressInfo).port}`,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_EXPORTER_OTLP_TIMEOUT: '300',
    };
    const deaf = await new Region(stage, { folder: 'deaf', env }).start();
    const lines = (): number =>
      readFileSync(deaf.server.log, 'utf8').split('traces are not delivered').length - 1;
    await until('the line', 10_000, () => (lines() > 0 ? true : null));
    const before = attempts;
    await until('more attempts', 10_000, async () => {
      expect((await deaf.operator.get('/v1/tenants')).status).toBe(200);
      return attempts > before + 3 ? true : null;
    });
    await deaf.stop();
    expect(lines()).toBe(1);
    expect(deaf.server.running).toBe(false);
  });
});

describe('Where nothing is configured', () => {
  it('nothing of the tracing SDK is loaded', async () => {
    const hook = stage.path('hook.mjs');
    writeFileSync(
      hook,
      `import { registerHooks } from 'node:module';
       const seen = new Set();
       registerHooks({ resolve: (name, context, next) => {
         const found = next(name, context);
         const room = /@opentelemetry\\/(sdk-node|sdk-trace|exporter-trace-[a-z-]+)\\//.exec(found.url);
         if (room !== null) seen.add(room[1]);
         return found;
       } });
       const { startTracing } = await import(process.argv[2]);
       const report = () => {};
       const { tracer, stop } = await startTracing(process.env, { service: 's', region: 'r', report });
       await stop();
       console.log(JSON.stringify({ on: tracer.on, loaded: [...seen].sort() }));`,
    );
    const room = join(import.meta.dirname, '..', '..', 'dist', 'libs', 'tracing', 'index.js');
    const loaded = async (name: string, env: Readonly<Record<string, string>>) => {
      const log = stage.path(`${name}.log`);
      const child = runProgram([hook, room], env, log);
      await new Promise((resolve) => child.once('exit', resolve));
      return JSON.parse(readFileSync(log, 'utf8')) as { on: boolean; loaded: string[] };
    };
    const on = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
    const [off, disabled, configured] = await Promise.all([
      loaded('off', {}),
      loaded('disabled', { ...on, OTEL_SDK_DISABLED: 'true' }),
      loaded('on', on),
    ]);
    expect(off).toEqual({ on: false, loaded: [] });
    expect(disabled).toEqual(off);
    expect(configured.on).toBe(true);
    expect(configured.loaded).toContain('sdk-node');
  });
});
