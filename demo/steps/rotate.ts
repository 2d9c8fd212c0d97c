import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeClient, Sample } from '../edge-client.js';
import { count, duration, type Printer } from '../print.js';
import { LEASE_SECONDS, type World } from '../world.js';
import type { Tenant, Tenants } from './connect.js';

const WORKERS = 8;
/** Operations before the rotations, and again after them. */
const LOAD = 5_000;
/** What the callers keep up at least, all of them together. */
const OPERATIONS_PER_SECOND = 200;
interface Key {
  readonly id: string;
  readonly level: 'L2' | 'L3';
  readonly versions: readonly {
    readonly version: number;
    readonly state: string;
    readonly wrappedBy: { readonly id: string; readonly version: string };
  }[];
}

/** New versions of the tenant's key and of the service's key while callers go on. */
export async function rotate(
  world: World,
  out: Printer,
  tenants: Tenants,
  old: Sample,
): Promise<void> {
  const { acme } = tenants;
  const load = new Load(world.edge, old);
  await load.reached(LOAD);
  await rotateTenantKey(out, acme);
  out.command(`kcm key rotate ${acme.l3} --tenant acme`);
  const start = performance.now();
  const rotated = await rotateKey(acme, acme.l3);
  const newest = newestOf(rotated);
  await load.usesVersion(newest, LEASE_SECONDS * 1_000);
  const ms = out.measured('newVersionInUseMs', performance.now() - start);
  await load.reached(load.done + LOAD);
  const { done, failures, perSecond } = await load.stop();
  out.check(newest === 2, `The key has version ${newest}; version 1 stays to open what it sealed.`);
  out.measured('operations', done);
  out.measured('operationsPerSecond', perSecond);
  out.measured('failed', failures.length);
  out.check(
    failures.length === 0,
    `${WORKERS} callers went on through both rotations: ${count(done)} operations, ` +
      `${failures.length} failed${failures.length > 0 ? ` (${failures[0]})` : ''}.`,
  );
  out.check(
    perSecond >= OPERATIONS_PER_SECOND,
    `That is ${count(Math.round(perSecond))} a second (at least ${OPERATIONS_PER_SECOND}).`,
  );
  out.check(true, `New ciphertext is under version ${newest} after ${duration(ms)}.`);
  out.check((await world.edge.opens(old)) === true, 'Ciphertext from before the rotations opens.');
}

/** Resolves when each version of the service's key is wrapped anew. */
async function rotateTenantKey(out: Printer, acme: Tenant): Promise<void> {
  const { id: l2 } = (await keysOf(acme)).find(({ level }) => level === 'L2')!;
  out.command(`kcm key rotate ${l2} --tenant acme`);
  const start = performance.now();
  const version = newestOf(await rotateKey(acme, l2));
  const under = async (): Promise<boolean> => {
    const l3 = (await keysOf(acme)).find(({ id }) => id === acme.l3)!;
    return l3.versions.every(({ wrappedBy }) => wrappedBy.version === String(version));
  };
  for (const end = start + LEASE_SECONDS * 1_000; !(await under()); await sleep(10))
    if (performance.now() > end) throw new Error(`${acme.l3} is not under version ${version}`);
  const ms = out.measured('rewrappedMs', performance.now() - start);
  out.check(
    version === 2,
    `The tenant's key has version ${version}, and the service's key is wrapped anew under it, ` +
      `after ${duration(ms)}.`,
  );
}

const keysOf = ({ auditor, id }: Tenant): Promise<readonly Key[]> =>
  auditor.list<Key>(`/v1/tenants/${id}/keys`);
const rotateKey = ({ anna, id }: Tenant, key: string): Promise<Key> =>
  anna.must<Key>('POST', `/v1/tenants/${id}/keys/${key}/rotate`);
const newestOf = ({ versions }: Key): number => Math.max(...versions.map(({ version }) => version));

/** Callers that encrypt, open what they got, and open an old record, without a pause. */
class Load {
  done = 0;
  /** Operations a second, from the first to the stop. */
  perSecond = 0;
  readonly failures: string[] = [];
  #newest = 0;
  #stopped = false;
  readonly #start = performance.now();
  readonly #workers: readonly Promise<void>[];

  constructor(
    private readonly edge: EdgeClient,
    private readonly old: Sample,
  ) {
    this.#workers = Array.from({ length: WORKERS }, () => this.#work());
  }

  async reached(operations: number): Promise<void> {
    while (this.done < operations && this.failures.length === 0) await sleep(5);
  }

  /** @throws Error when it is not in use by then */
  async usesVersion(version: number, ms: number): Promise<void> {
    for (const end = performance.now() + ms; this.#newest < version; await sleep(2))
      if (performance.now() > end) throw new Error(`version ${version} is not used after ${ms} ms`);
  }

  async stop(): Promise<this> {
    this.#stopped = true;
    await Promise.all(this.#workers);
    this.perSecond = (this.done * 1_000) / (performance.now() - this.#start);
    return this;
  }

  async #work(): Promise<void> {
    const { tenant, plaintext } = this.old;
    while (!this.#stopped) {
      const answer = await this.edge.encrypt(tenant, plaintext);
      const { ciphertext, keyVersion = 0, code } = answer;
      if (ciphertext === undefined) this.failures.push(`encrypt: ${code}`);
      else {
        this.#newest = Math.max(this.#newest, keyVersion);
        this.#note(await this.edge.opens({ tenant, plaintext, ciphertext }), 'decrypt');
      }
      this.#note(await this.edge.opens(this.old), 'decrypt of an old record');
      this.done += 3;
    }
  }

  #note(outcome: true | string, what: string): void {
    if (outcome !== true) this.failures.push(`${what}: ${outcome}`);
  }
}
