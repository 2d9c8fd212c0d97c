import { systemRandom } from '@kcm/kernel';
import { MemoryLedger, settled, SimulatedTime } from '@kcm/testing';
import { type Refusal, Refusals } from './refusals.js';

const refusal = (more: Partial<Refusal> = {}): Refusal => ({
  actor: 'sub-a',
  tenant: 'acme',
  code: 'wrong_state',
  action: 'POST /v1/tenants/:tenant/activate',
  resource: '/v1/tenants/acme/activate',
  correlationId: 'c1',
  ...more,
});

function journal() {
  const ledger = new MemoryLedger();
  const time = new SimulatedTime();
  const lost: unknown[] = [];
  const refusals = new Refusals(
    ledger,
    time,
    systemRandom,
    { after: time.after },
    'local',
    'boot',
    (error) => lost.push(error),
  );
  const counts = () => ledger.events.map(({ data }) => data['count']);
  return { ledger, time, lost, refusals, counts };
}

describe('the journal of refused commands', () => {
  it('records a refusal before it is answered', async () => {
    const { ledger, refusals } = journal();
    await refusals.record(refusal());
    expect(ledger.events.map(({ stream, type }) => [stream, type])).toEqual([
      ['refused-local.boot', 'CommandRefused'],
    ]);
  });

  it('counts what is too much of one principal, and writes the count down at the end', async () => {
    const { refusals, counts } = journal();
    for (let n = 0; n < 100; n += 1) await refusals.record(refusal());
    await refusals.record(refusal({ actor: 'sub-b' }));
    expect(counts()).toEqual(Array.from({ length: 61 }, () => 1));
    await refusals.flush();
    expect(counts().at(-1)).toBe(40);
  });

  it('counts what is too much of all people of a tenant, however many they are', async () => {
    const { ledger, refusals, counts } = journal();
    for (let n = 0; n < 700; n += 1) await refusals.record(refusal({ actor: `sub-${n}` }));
    await refusals.record(refusal({ tenant: 'globex' }));
    expect(counts()).toEqual(Array.from({ length: 601 }, () => 1));
    await refusals.flush();
    expect(counts().at(-1)).toBe(100);
    expect(ledger.events.at(-1)!.meta).toMatchObject({ tenant: 'acme', actor: 'anonymous' });
  });

  it('answers all the same while the ledger is away, and says what was lost', async () => {
    const { ledger, lost, refusals } = journal();
    ledger.down = true;
    await refusals.record(refusal());
    expect(lost).toHaveLength(1);
  });

  it('waits two seconds for a ledger that does not say whether it stored, and records once', async () => {
    const { ledger, time, lost, refusals, counts } = journal();
    ledger.silentOnce = true;
    let answered = false;
    const recording = refusals.record(refusal()).then(() => (answered = true));
    await settled();
    ledger.down = true;
    await time.advance(1_999);
    expect(answered).toBe(false);
    await time.advance(1);
    await recording;
    ledger.down = false;
    await time.advance(30_000);
    expect([counts(), lost]).toEqual([[1], []]);
  });
});
