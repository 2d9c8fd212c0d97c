import { LeaseClock, type SpanAttributes, systemRandom, type Tracer } from '@kcm/kernel';
import { FakeCore, SimClock } from '@kcm/testing/edge';
import { DataPlane } from '../data-plane.js';
import { GcWitness } from '../leases/gc-witness.js';
import { LeaseKeeper } from '../leases/lease-keeper.js';
import { RefusalCounts } from '../refusal-counts.js';
import { UsageLedger } from '../usage.js';
import { EdgeApi } from './api.js';

const SAMPLED = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
interface Told {
  readonly attributes: Record<string, unknown>;
  failure?: string | undefined;
}

describe('The span of a request', () => {
  let core: FakeCore;
  let told: Told[];
  let api: EdgeApi;
  beforeEach(() => {
    core = new FakeCore();
    core.add('acme', 'billing');
    told = [];
    const tracer: Tracer = {
      on: true,
      start: (_name, _kind, parent, attributes = {}) => {
        const span: Told = { attributes: { ...attributes } };
        told.push(span);
        return {
          traceparent: parent,
          set: (more: SpanAttributes) => void Object.assign(span.attributes, more),
          end: (failure) => (span.failure = failure),
        };
      },
    };
    const clock = new SimClock();
    const keeper = new LeaseKeeper({
      core,
      clock: new LeaseClock(clock),
      random: systemRandom,
      witness: new GcWitness(null),
      now: () => clock.monotonicMs(),
      onAlarm: () => undefined,
      onClosed: () => undefined,
      onHearsay: () => undefined,
    });
    const refusals = new RefusalCounts();
    const usage = new UsageLedger('boot', () => clock.wallMs(), refusals);
    api = new EdgeApi({
      plane: new DataPlane('billing', keeper, usage, {
        random: systemRandom,
        wallMs: () => clock.wallMs(),
      }),
      random: systemRandom,
      tracer,
      status: () => ({}),
      health: () => ({ status: 'ready', reasons: [] }),
      metrics: () => '',
      refusals,
    });
  });
  const ask = async (tenant: string, body: unknown): Promise<Told> => {
    await api.answer({
      method: 'POST',
      target: `/v1/tenants/${tenant}/encrypt`,
      headers: new Map([
        ['traceparent', SAMPLED],
        ['content-type', 'application/json'],
      ]),
      body: Buffer.from(JSON.stringify(body)),
      keepAlive: true,
    });
    return told.at(-1)!;
  };
  const plaintext = 'eA==';

  it('names a tenant that is served here, and none that somebody only wrote', async () => {
    const before = await ask('acme', { plaintext: 7 });
    expect(before.attributes['kcm.tenant']).toBeUndefined();
    const unknown = await ask('hello-operator', { plaintext });
    expect(unknown.attributes['kcm.tenant']).toBeUndefined();
    expect(unknown).toMatchObject({ attributes: { 'kcm.code': 'not_found' }, failure: undefined });
    const served = await ask('acme', { plaintext });
    expect(served.attributes).toMatchObject({
      'kcm.tenant': 'acme',
      'http.response.status_code': 200,
    });
    const refused = await ask('acme', { plaintext: 7 });
    expect(refused.attributes).toMatchObject({
      'kcm.tenant': 'acme',
      'kcm.code': 'invalid_request',
    });
  });

  it('ends with the code of what went wrong on this side', async () => {
    core.reachable = false;
    expect(await ask('acme', { plaintext })).toMatchObject({ failure: 'lease_expired' });
  });
});
