import {
  defaultPolicy,
  keyDecider,
  type AnyEvent,
  type KeyCommand,
  type KeyState,
  type LevelRotation,
  type Recorded,
  type TenantPolicy,
} from '@kcm/domain';
import { rfc3339, streamOf, type StreamId } from '@kcm/kernel';
import { ProcessFold } from '@kcm/testing';
import { rotation } from './index.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const TENANTS = 10_000;
const FEWER = 1_000;
const START = Date.parse('2030-01-01T00:00:00Z');
const never: LevelRotation = { maxAgeSeconds: null, maxUses: null, retireAfterSeconds: null };
const byAge = (maxAgeSeconds: number): TenantPolicy => ({
  ...defaultPolicy,
  rotation: { L2: never, L3: { ...never, maxAgeSeconds } },
});
const wrapped = { wrappedBy: { id: 'l2-1', version: '1' }, digest: 'd', commitment: 'c' } as const;
const keyOf = (tenant: string): StreamId => streamOf('key', tenant, `l3-${tenant}`);

type Ending = 'done' | 'refused' | 'never';

/** A ledger, the process over it, and a clock that goes on by whole minutes. */
class Region {
  now = START;
  readonly events: Recorded[] = [];
  /** When each rotation was asked for, by the version that it replaces. */
  readonly asked: { readonly tenant: string; readonly from: number; readonly at: number }[] = [];
  /** Rotations that were asked for and are not done. */
  readonly open = new Set<string>();
  #fold = new ProcessFold(rotation);
  readonly #keys = new Map<string, KeyState>();
  /** Tenants to look at, by minute. */
  #calendar = new Map<number, Set<string>>();

  note(stream: StreamId, ...events: readonly AnyEvent[]): void {
    const meta = { occurredAt: rfc3339(this.now), tenant: null };
    const recorded = events.map((event) => ({ ...event, stream, meta }) as unknown as Recorded);
    this.events.push(...recorded);
    this.#fold.add(recorded);
  }
  register(policy: TenantPolicy, count = TENANTS): readonly string[] {
    const tenants = Array.from({ length: count }, (_, at) => `tenant-${at}`);
    for (const [at, tenant] of tenants.entries()) {
      this.now = START + (at / count) * MINUTE_MS;
      this.note(streamOf('tenant', tenant), {
        type: 'TenantRegistered',
        data: { homeRegion: 'local', policy },
      });
      const made = { level: 'L3', service: 'billing', parent: 'l2-1', ...wrapped } as const;
      this.#decide(tenant, { kind: 'CreateKey', ...made });
      this.plan(tenant);
    }
    this.now = START + MINUTE_MS;
    return tenants;
  }
  change(tenants: readonly string[], policy: TenantPolicy): void {
    for (const tenant of tenants) {
      this.note(streamOf('tenant', tenant), { type: 'TenantPolicyChanged', data: { policy } });
      this.plan(tenant);
    }
  }
  /** The process forgets all it knew and folds the ledger again. */
  restart(): void {
    this.#fold = new ProcessFold(rotation).add(this.events);
    this.#calendar = new Map();
    for (const tenant of this.#fold.subjects) this.plan(tenant);
  }
  plan(tenant: string): void {
    for (const { dueAt } of this.#fold.todo(tenant)) {
      const minute = Math.max(Math.ceil(Date.parse(dueAt!) / MINUTE_MS), this.#minute() + 1);
      this.#calendar.set(minute, (this.#calendar.get(minute) ?? new Set()).add(tenant));
    }
  }
  /** `never`: what is asked for is not done, as if the process died between the two. */
  run(until: number, ends: Ending = 'done'): void {
    while (this.now < until) {
      this.now += MINUTE_MS;
      const minute = this.#minute();
      for (const tenant of this.#calendar.get(minute) ?? []) this.#turn(tenant, ends);
      this.#calendar.delete(minute);
    }
  }
  finish(): void {
    for (const tenant of this.open) this.#complete(tenant);
    this.open.clear();
  }

  version(tenant: string): number {
    const key = this.#keys.get(tenant);
    return key === undefined || key.status === 'absent' ? 0 : key.current;
  }

  #turn(tenant: string, ends: Ending): void {
    for (const { dueAt, step } of this.#fold.todo(tenant)) {
      if (Date.parse(dueAt!) > this.now || step.kind !== 'key') continue;
      this.asked.push({ tenant, from: this.version(tenant), at: this.now });
      this.#decide(tenant, step.command);
      if (ends === 'done') this.#complete(tenant);
      else if (ends === 'refused') this.#refuse(tenant);
      else this.open.add(tenant);
    }
    this.plan(tenant);
  }
  #complete(tenant: string): void {
    const key = this.#keys.get(tenant);
    if (key?.status !== 'rotating') throw new Error(`${tenant} does not rotate`);
    const { operation, current: from } = key;
    this.#decide(tenant, { kind: 'CompleteRotation', from, operation, ...wrapped });
    this.plan(tenant);
  }
  #refuse(tenant: string): void {
    const key = this.#keys.get(tenant);
    const operation = key?.status === 'rotating' ? key.operation : '';
    this.#decide(tenant, { kind: 'RefuseRotation', operation, code: 'root_key_unreachable' });
  }
  #decide(tenant: string, command: KeyCommand): void {
    const before = this.#keys.get(tenant) ?? keyDecider.initial;
    const decision = keyDecider.decide(command, before);
    if (decision.kind === 'refused') throw new Error(decision.detail);
    this.note(keyOf(tenant), ...decision.events);
    this.#keys.set(
      tenant,
      decision.events.reduce((at, event) => keyDecider.evolve(at, event), before),
    );
  }
  #minute(): number {
    return Math.floor(this.now / MINUTE_MS);
  }
}

const worstMinute = ({ asked }: Pick<Region, 'asked'>): number => {
  const counts = new Map<number, number>();
  for (const { at } of asked) counts.set(at, (counts.get(at) ?? 0) + 1);
  return Math.max(...counts.values());
};
/** Each version once, in turn. */
const rounds = ({ asked }: Region): Map<string, number[]> => {
  const of = new Map<string, number[]>();
  for (const { tenant, from } of asked) of.set(tenant, [...(of.get(tenant) ?? []), from]);
  return of;
};

describe('The spread of rotations, on a simulated clock', () => {
  it('10,000 tenants of one minute and one policy of 90 days: 6 in the worst minute, each within its age', () => {
    const region = new Region();
    region.register(byAge(90 * 86_400));
    region.run(START + 90 * DAY_MS);
    expect(region.asked).toHaveLength(TENANTS);
    expect(new Set(region.asked.map(({ tenant }) => tenant)).size).toBe(TENANTS);
    expect(worstMinute(region)).toBeLessThanOrEqual(6);
  });

  it('a restart in the middle neither doubles a rotation nor forgets one', () => {
    const region = new Region();
    region.register(byAge(30 * 86_400), FEWER);
    region.run(START + 28 * DAY_MS);
    region.run(START + 28.5 * DAY_MS, 'never');
    const begun = region.open.size;
    expect(begun).toBeGreaterThan(100);
    region.restart();
    region.run(START + 29 * DAY_MS);
    expect(region.open.size).toBe(begun);
    region.finish();
    region.restart();
    region.run(START + 62 * DAY_MS);
    const all = [...rounds(region).values()];
    expect(all).toHaveLength(FEWER);
    expect(all.filter((from) => from.join() !== '1,2')).toEqual([]);
  });

  it('1,000 tenants of a keystore that is down for a day, all due at once: 16 tries each at most, 100 a minute after an hour', () => {
    const region = new Region();
    const tenants = region.register(byAge(90 * 86_400), FEWER);
    region.run(START + 10 * DAY_MS);
    region.change(tenants, byAge(86_400));
    region.run(region.now + DAY_MS, 'refused');
    const [first] = region.asked;
    for (const tries of rounds(region).values()) {
      expect(tries.length).toBeGreaterThan(8);
      expect(tries.length).toBeLessThanOrEqual(16);
    }
    const later = region.asked.filter(({ at }) => at > first!.at + 60 * MINUTE_MS);
    expect(worstMinute({ asked: later })).toBeLessThanOrEqual(100);
    region.run(region.now + DAY_MS);
    expect(tenants.filter((tenant) => region.version(tenant) < 2)).toEqual([]);
  });

  it('a shorter policy plans every key anew, within the shorter age', () => {
    const region = new Region();
    const tenants = region.register(byAge(90 * 86_400), FEWER);
    region.run(START + 10 * DAY_MS);
    region.change(tenants, byAge(12 * 86_400));
    region.run(START + 12 * DAY_MS);
    expect(new Set(region.asked.map(({ tenant }) => tenant)).size).toBe(FEWER);
    expect(worstMinute(region)).toBeLessThanOrEqual(6);
  });
});
