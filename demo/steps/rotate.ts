import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeClient, Sample } from '../edge-client.js';
import { count, duration, type Printer } from '../print.js';
import { LEASE_SECONDS, type World } from '../world.js';
import type { Tenants } from './connect.js';

const WORKERS = 8;
/** Operations before the rotation, and again after it. */
const LOAD = 5_000;
interface Key {
  readonly versions: readonly { readonly version: number; readonly state: string }[];
}

/** A new version of the service's key while callers go on. */
export async function rotate(
  world: World,
  out: Printer,
  tenants: Tenants,
  old: Sample,
): Promise<void> {
  const { acme } = tenants;
  const load = new Load(world.edge, old);
  await load.reached(LOAD);
  out.command(`kcm key rotate ${acme.l3} --tenant acme`);
  const start = performance.now();
  const rotated = await acme.anna.must<Key>('POST', `/v1/tenants/acme/keys/${acme.l3}/rotate`);
  const newest = Math.max(...rotated.versions.map(({ version }) => version));
  await load.usesVersion(newest, LEASE_SECONDS * 1_000);
  const ms = out.measured('newVersionInUseMs', performance.now() - start);
  await load.reached(load.done + LOAD);
  const { done, failures } = await load.stop();
  out.check(newest === 2, `The key has version ${newest}; version 1 stays to open what it sealed.`);
  out.measured('operations', done);
  out.measured('failed', failures.length);
  out.check(
    failures.length === 0,
    `${WORKERS} callers went on meanwhile: ${count(done)} operations, ` +
      `${failures.length} failed${failures.length > 0 ? ` (${failures[0]})` : ''}.`,
  );
  out.check(true, `New ciphertext is under version ${newest} after ${duration(ms)}.`);
  out.check((await world.edge.opens(old)) === true, 'Ciphertext from before the rotation opens.');
}

/** Callers that encrypt, open what they got, and open an old record, without a pause. */
class Load {
  done = 0;
  readonly failures: string[] = [];
  #newest = 0;
  #stopped = false;
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
