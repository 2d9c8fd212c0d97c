import { setTimeout as sleep } from 'node:timers/promises';
import type { Customer } from '../support/customer.js';
import type { Seeded } from '../support/seeded.js';
import type { Caller, StubbornClient } from './stubborn-client.js';

export type RevocationStage = 'locked' | 'released' | 'shredded';
/** What a tenant must look like, since nobody else changes it and every answer was awaited. */
export interface Expected {
  readonly id: string;
  state: 'registered' | 'active';
  leaseSeconds: number;
  readonly services: Set<string>;
  readonly locks: Set<string>;
  readonly revocations: Map<string, { readonly kind: string; stage: RevocationStage }>;
  /** Successful rotations by service. */
  readonly rotations: Map<string, number>;
  rootKey: string | null;
  dead: boolean;
}
export interface People {
  readonly operator: Caller;
  anna: Caller | null;
  boris: Caller | null;
}
type Scope = { readonly all: true } | { readonly service: string };
interface Service {
  readonly id: string;
  readonly key: string | null;
}

/** Few, so that what was unmapped is mapped again. */
const SERVICES = ['billing', 'mail', 'files'];

/** One tenant from its registration to its end, by commands that are each repeated until answered. */
export class TenantLife {
  readonly expected: Expected;
  readonly people: People;

  constructor(
    readonly id: string,
    private readonly client: StubbornClient,
    private readonly customer: Customer,
    private readonly draw: Seeded,
    operator: Caller,
  ) {
    this.people = { operator, anna: null, boris: null };
    this.expected = {
      id,
      state: 'registered',
      leaseSeconds: 60,
      services: new Set(),
      locks: new Set(),
      revocations: new Map(),
      rotations: new Map(),
      rootKey: null,
      dead: false,
    };
  }

  get path(): string {
    return `/v1/tenants/${this.id}`;
  }

  /** Steps one by one, so that whoever drives may stop between two. */
  async *steps(): AsyncGenerator<void, void, undefined> {
    await this.#register();
    yield;
    await this.#activate();
    yield;
    await this.#hire();
    yield;
    const keyed = this.draw.fraction() < 0.4;
    if (keyed) yield await this.#connect();
    for (let left = this.draw.between(4, 10); left > 0; left -= 1) yield await this.#something();
    const end = this.draw.fraction();
    if (end < 0.3) yield await this.#kill();
    else if (end < 0.5) yield await this.#suspend({ all: true }, 'for good');
  }

  async #register(): Promise<void> {
    const body = { id: this.id, name: `${this.id} bank` };
    await this.#run(this.people.operator, 'POST', '/v1/tenants', body, 'TenantRegistered');
  }

  async #activate(): Promise<void> {
    const path = `${this.path}/activate`;
    await this.#run(this.people.operator, 'POST', path, {}, 'TenantActivated');
    this.expected.state = 'active';
  }

  async #hire(): Promise<void> {
    this.people.anna = await this.#tokenOf('anna');
    this.people.boris = await this.#tokenOf('boris');
  }

  async #tokenOf(subject: string): Promise<Caller> {
    const body = { tenant: this.id, subject, roles: ['tenant-admin', 'key-admin'] };
    const { operator } = this.people;
    const answer = await this.#run(operator, 'POST', '/v1/sys/tokens', body, 'TokenIssued');
    return { token: answer.token, subject, tenant: this.id };
  }

  async #connect(): Promise<void> {
    const body = await this.customer.connection(this.id);
    const path = `${this.path}/root-keys`;
    const answer = await this.#run(this.#anna, 'POST', path, body, 'RootKeyConnectionRequested');
    this.expected.rootKey = answer.id;
  }

  #something(): Promise<void> {
    const services = [...this.expected.services];
    const free = SERVICES.filter((id) => !this.expected.services.has(id));
    const acts = [
      () => this.#changePolicy(),
      () => this.#suspend({ all: true }, 'and back'),
      () => this.#block(),
    ];
    if (free.length > 0) {
      const service = this.draw.pick(free);
      acts.push(
        () => this.#map(service),
        () => this.#map(service),
      );
    }
    if (services.length > 0) {
      const service = this.draw.pick(services);
      acts.push(
        () => this.#suspend({ service }, 'and back'),
        () => this.#unmap(service),
      );
      if (this.expected.rootKey !== null)
        acts.push(
          () => this.#rotate(service),
          () => this.#rotate(service),
          () => this.#probe(),
        );
    }
    return this.draw.pick(acts)();
  }

  async #changePolicy(): Promise<void> {
    const leaseSeconds = this.expected.leaseSeconds === 60 ? this.draw.between(10, 50) : 60;
    await this.#run(
      this.#anna,
      'PUT',
      `${this.path}/policy`,
      { leaseSeconds },
      'TenantPolicyChanged',
    );
    this.expected.leaseSeconds = leaseSeconds;
  }

  async #map(id: string): Promise<void> {
    await this.#run(this.#anna, 'POST', `${this.path}/services`, { id }, 'ServiceMapped');
    this.expected.services.add(id);
  }

  async #unmap(service: string): Promise<void> {
    const path = `${this.path}/services/${service}`;
    await this.#run(this.#anna, 'DELETE', path, null, 'ServiceUnmapped');
    this.expected.services.delete(service);
  }

  /** By one person, released by another. */
  async #suspend(scope: Scope, how: 'and back' | 'for good'): Promise<void> {
    const body = { kind: 'suspend', scope, reason: { code: 'incident', text: 'a test' } };
    const path = `${this.path}/revocations`;
    const { id } = await this.#run(this.#anna, 'POST', path, body, 'LockTaken');
    this.#locked(id, 'suspend');
    if (how === 'for good') return;
    await this.#run(this.#boris, 'POST', `${path}/${id}/release`, {}, 'LockReleased');
    this.expected.locks.delete(id);
    this.expected.revocations.get(id)!.stage = 'released';
  }

  #locked(id: string, kind: string): void {
    this.expected.locks.add(id);
    this.expected.revocations.set(id, { kind, stage: 'locked' });
  }

  /** At once one after the other: what follows from a block must not overtake what undoes it. */
  async #block(): Promise<void> {
    const { operator } = this.people;
    await this.#run(operator, 'POST', `${this.path}/block`, {}, 'LockTaken');
    await this.#run(operator, 'POST', `${this.path}/unblock`, {}, 'LockReleased');
    await this.#until(async () => {
      const { state, access } = await this.client.get<{
        state: string;
        access: { locks: readonly { kind: string }[] };
      }>(operator, this.path);
      return state === 'active' && !access.locks.some(({ kind }) => kind === 'blocked');
    });
  }

  async #rotate(service: string): Promise<void> {
    let key: string | null = null;
    await this.#until(async () => {
      const path = `${this.path}/services/${service}`;
      ({ key } = await this.client.get<Service>(this.#anna, path));
      return key !== null;
    });
    const path = `${this.path}/keys/${key!}/rotate`;
    await this.#run(this.#anna, 'POST', path, {}, 'KeyRotationRequested');
    const { rotations } = this.expected;
    rotations.set(service, (rotations.get(service) ?? 0) + 1);
  }

  async #probe(): Promise<void> {
    const path = `${this.path}/root-keys/${this.expected.rootKey!}/probe`;
    await this.#run(this.#anna, 'POST', path, {}, 'RootKeyProbeRequested');
  }

  /** One person locks, another shreds. */
  async #kill(): Promise<void> {
    const body = { kind: 'kill', scope: { all: true }, reason: { code: 'end' } };
    const path = `${this.path}/revocations`;
    const { id } = await this.#run(this.#anna, 'POST', path, body, 'LockTaken');
    this.expected.dead = true;
    this.#locked(id, 'kill');
    await this.#run(this.#boris, 'POST', `${path}/${id}/shred`, {}, 'RevocationShredRequested');
    this.expected.revocations.get(id)!.stage = 'shredded';
  }

  get #anna(): Caller {
    return this.people.anna!;
  }
  get #boris(): Caller {
    return this.people.boris!;
  }

  async #run(who: Caller, method: string, path: string, body: object | null, event: string) {
    const { body: answer } = await this.client.command(who, method, path, body, event);
    return answer as { readonly id: string; readonly token: string };
  }

  async #until(look: () => Promise<boolean>): Promise<void> {
    while (!(await look())) await sleep(20);
  }
}
