import { setTimeout as sleep } from 'node:timers/promises';
import { parseTrust, verifyReceipt } from '../../libs/evidence/verify/index.js';
import type { Customer } from '../support/customer.js';
import { materialOf, type Material } from './material.js';
import type { MortalServer } from './mortal-server.js';
import type { Caller, StubbornClient } from './stubborn-client.js';
import type { Sample, StubbornWorkload } from './stubborn-workload.js';

export const SERVICE = 'default';
interface Parties {
  readonly mortal: MortalServer;
  readonly client: StubbornClient;
  readonly workload: StubbornWorkload;
  readonly customer: Customer;
  readonly operator: Caller;
}
interface Child {
  readonly wrappedBy: { readonly version: string };
}
/** How a life ended. */
export interface Ended {
  readonly tenant: string;
  readonly revocation: string;
  /** On disk when the shred was asked for. */
  readonly before: Material;
  readonly after: Material;
  readonly versions: number;
}

/** A tenant from its first root key to its shredded end; each step waits until it is done. */
export class KeyedLife {
  readonly #samples: Sample[] = [];

  constructor(
    readonly tenant: string,
    private readonly parties: Parties,
  ) {}

  async live(rotations: number, denials: number): Promise<Ended> {
    const { anna, boris } = await this.#begin();
    const rootKey = await this.#connect(anna);
    const key = await this.#map(anna);
    await this.#use();
    for (let left = denials; left > 0; left -= 1) await this.#deny(anna, rootKey);
    for (let left = rotations; left > 0; left -= 1) {
      await this.#rotate(anna, key);
      await this.#use();
      await this.#rotateTenantKey(anna, key);
      await this.#use();
    }
    return this.#end(anna, boris, rotations + 1);
  }

  async #begin() {
    const { tenant } = this;
    // Short: the receipt waits for the last lease of an Edge that was killed before it answered.
    const policy = { leaseSeconds: 10 };
    await this.#operator('', { id: tenant, name: tenant, policy }, 'TenantRegistered');
    await this.#operator(`/${tenant}/activate`, {}, 'TenantActivated');
    return { anna: await this.#hire('anna'), boris: await this.#hire('boris') };
  }

  async #hire(subject: string): Promise<Caller> {
    const { client, operator } = this.parties;
    const body = { tenant: this.tenant, subject, roles: ['tenant-admin', 'key-admin'] };
    const answer = await client.command(operator, 'POST', '/v1/sys/tokens', body, 'TokenIssued');
    return { token: answer.body['token'] as string, subject, tenant: this.tenant };
  }

  async #connect(anna: Caller): Promise<string> {
    const body = await this.parties.customer.connection(this.tenant);
    await this.#command(anna, '/root-keys', body, 'RootKeyConnectionRequested');
    const enabled = ({ items }: List) => items[0]?.['state'] === 'enabled';
    return (await this.#until(anna, '/root-keys', enabled)).items[0]!['id'] as string;
  }

  async #map(anna: Caller): Promise<string> {
    await this.#command(anna, '/services', { id: SERVICE }, 'ServiceMapped');
    const { items } = await this.#until(anna, '/keys', (list) => list.items.length === 2);
    return items.find(({ level }) => level === 'L3')!['id'] as string;
  }

  /** The customer takes its key away and gives it back; a probe lets Core hear of it at once. */
  async #deny(anna: Caller, rootKey: string): Promise<void> {
    const { customer, workload } = this.parties;
    const code = 'root_key_disabled';
    const probe = `/root-keys/${rootKey}/probe`;
    await customer.disable(this.tenant);
    await this.#command(anna, probe, {}, 'RootKeyProbeRequested', code);
    for (const sample of this.#samples) await workload.refused(this.tenant, sample, code);
    await customer.enable(this.tenant);
    await this.#command(anna, probe, {}, 'RootKeyProbeRequested');
    await this.#use();
  }

  async #rotate(anna: Caller, key: string): Promise<void> {
    const { versions } = await this.#get<{ versions: unknown[] }>(anna, `/keys/${key}`);
    await this.#command(anna, `/keys/${key}/rotate`, {}, 'KeyRotationRequested');
    await this.#until(anna, '/keys', ({ items }) => {
      const now = items.find(({ id }) => id === key)!['versions'] as unknown[];
      return now.length === versions.length + 1;
    });
  }

  /** The L2; over when every version of the L3 hangs from its newest. */
  async #rotateTenantKey(anna: Caller, key: string): Promise<void> {
    const { items } = await this.#get<List>(anna, '/keys');
    const l2 = items.find(({ level }) => level === 'L2')!;
    await this.#rotate(anna, l2['id'] as string);
    const newest = String((l2['versions'] as unknown[]).length + 1);
    await this.#until(anna, '/keys', (list) => {
      const l3 = list.items.find(({ id }) => id === key)!['versions'] as readonly Child[];
      return l3.every(({ wrappedBy }) => wrappedBy.version === newest);
    });
  }

  /** Encrypts, and opens whatever was encrypted under any version so far. */
  async #use(): Promise<void> {
    const { workload } = this.parties;
    this.#samples.push(await workload.encrypt(this.tenant));
    for (const sample of this.#samples) await workload.opens(this.tenant, sample);
  }

  async #end(anna: Caller, boris: Caller, versions: number): Promise<Ended> {
    const { tenant } = this;
    const { workload, mortal } = this.parties;
    const refused = () =>
      Promise.all(this.#samples.map((each) => workload.refused(tenant, each, 'tenant_killed')));
    const kill = { kind: 'kill', scope: { all: true }, reason: { code: 'end' } };
    const locked = await this.#command(anna, '/revocations', kill, 'LockTaken');
    const revocation = locked['id'] as string;
    await refused();
    const before = materialOf(mortal.server.dataDir, tenant);
    const path = `/revocations/${revocation}`;
    await this.#command(boris, `${path}/shred`, {}, 'RevocationShredRequested');
    await this.#until(boris, '/keys', ({ items }) =>
      items.every(({ state }) => state === 'revoked'),
    );
    await this.#receipt(boris, path);
    // Of the denials as well: a holder that was killed before it answered is waited for.
    await this.#until(boris, '/revocations', ({ items }) =>
      items.every(({ receipt }) => receipt !== null),
    );
    await refused();
    return {
      tenant,
      revocation,
      before,
      after: materialOf(mortal.server.dataDir, tenant),
      versions,
    };
  }

  /** @throws Error when the receipt of the shred does not come or does not verify */
  async #receipt(boris: Caller, path: string): Promise<void> {
    const { client } = this.parties;
    const trust = await client.text(boris, `/v1/tenants/${this.tenant}/trust`);
    for (;;) {
      const jws = await client.text(
        boris,
        `/v1/tenants/${this.tenant}${path}/receipt`,
        'wrong_state',
      );
      if (jws !== null && verifyReceipt(jws, parseTrust(trust!)).kind === 'shredded') return;
      await sleep(50);
    }
  }

  async #operator(path: string, body: object, event: string): Promise<void> {
    const { client, operator } = this.parties;
    await client.command(operator, 'POST', `/v1/tenants${path}`, body, event);
  }

  async #command(
    who: Caller,
    path: string,
    body: object,
    event: string,
    ends: string | null = null,
  ) {
    const whole = `/v1/tenants/${this.tenant}${path}`;
    return (await this.parties.client.command(who, 'POST', whole, body, event, ends)).body;
  }

  #get<T>(who: Caller, path: string): Promise<T> {
    return this.parties.client.get<T>(who, `/v1/tenants/${this.tenant}${path}`);
  }

  async #until(who: Caller, path: string, done: (list: List) => boolean): Promise<List> {
    for (;;) {
      const list = await this.#get<List>(who, path);
      if (done(list)) return list;
      await sleep(20);
    }
  }
}
interface List {
  readonly items: readonly Readonly<Record<string, unknown>>[];
}
