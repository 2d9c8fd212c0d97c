import { rfc3339 } from '@kcm/kernel';
import { SimulatedTime } from '@kcm/testing';
import { CertificateRenewal } from './certificate-renewal.js';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

describe('A certificate of this process', () => {
  let time: SimulatedTime;
  let renewals: number[];
  let failed: unknown[];
  let refuse: Error | null;
  let renewal: CertificateRenewal;
  const endsIn = (days: number) => rfc3339(time.wallMs() + days * DAY_MS);
  beforeEach(() => {
    time = new SimulatedTime();
    renewals = [];
    failed = [];
    refuse = null;
    renewal = new CertificateRenewal(
      {
        clock: time,
        scheduler: time,
        renew: async () => {
          if (refuse !== null) throw refuse;
          renewals.push(time.monotonicMs());
          return endsIn(90);
        },
        onFailed: (error) => failed.push(error),
      },
      endsIn(90),
    );
  });

  it('is renewed when two thirds of its time are over, and so is the next one', async () => {
    await time.advance(60 * DAY_MS - HOUR_MS);
    expect(renewals).toEqual([]);
    await time.advance(2 * HOUR_MS);
    expect(renewals).toHaveLength(1);
    await time.advance(60 * DAY_MS);
    expect(renewals).toHaveLength(2);
  });

  it('that could not be renewed is tried again, with weeks to spare', async () => {
    refuse = new Error('the region is sealed');
    await time.advance(61 * DAY_MS);
    expect(failed.length).toBeGreaterThan(1);
    refuse = null;
    await time.advance(HOUR_MS);
    expect(renewals).toHaveLength(1);
  });

  it('is left alone once it is stopped, and seen to be due after a sleep of the machine', async () => {
    time.suspend(80 * DAY_MS);
    await time.advance(HOUR_MS);
    expect(renewals).toHaveLength(1);
    renewal.stop();
    await time.advance(100 * DAY_MS);
    expect(renewals).toHaveLength(1);
  });
});
