import { KcmError } from '@kcm/kernel';
import type { DriverDeps } from './driver-deps.js';
import { EgressGuard } from './egress.js';
import type { KeystoreDriver } from './keystore.js';

type DriverModule = { readonly createDriver: (deps: DriverDeps) => KeystoreDriver };

/** Loaded when first asked for, so that a vendor's client costs nothing where it is not used. */
const LOADERS: { readonly [name: string]: () => Promise<DriverModule> } = {
  software: () => import('./software/index.js'),
  vault: () => import('./vault/index.js'),
};

/** The drivers by name; one instance each. */
export class DriverRegistry {
  readonly #loaded = new Map<string, Promise<KeystoreDriver>>();

  constructor(private readonly deps: DriverDeps) {}

  names(): readonly string[] {
    return Object.keys(LOADERS);
  }

  has(name: string): boolean {
    return Object.hasOwn(LOADERS, name);
  }

  /** @throws KcmError invalid_request for a name that is not in names() */
  async get(name: string): Promise<KeystoreDriver> {
    if (!this.has(name))
      throw new KcmError('invalid_request', `There is no keystore driver ${name}.`, {
        errors: [
          { path: 'keystore', code: 'unknown', detail: `one of ${this.names().join(', ')}` },
        ],
      });
    const known = this.#loaded.get(name);
    if (known !== undefined) return known;
    const loading = LOADERS[name]!().then((module) => module.createDriver(this.deps));
    this.#loaded.set(name, loading);
    loading.catch(() => this.#loaded.delete(name));
    return loading;
  }

  async all(): Promise<readonly KeystoreDriver[]> {
    return Promise.all(this.names().map((name) => this.get(name)));
  }
}

/** Drivers that call public addresses and these (CIDRs), and nothing else. */
export const driversWithin = (allow: readonly string[]): DriverRegistry =>
  new DriverRegistry({ egress: new EgressGuard({ allow }) });
