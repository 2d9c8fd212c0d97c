import type { Route } from './access.js';

/** Which methods a path serves, as RFC 9110 §10.2.1 lists them; null: no such path. */
export class Methods {
  readonly #paths: readonly (readonly [RegExp, string])[];

  constructor(routes: readonly Route[]) {
    const served = new Map<string, Set<string>>();
    for (const { path, method } of routes) {
      const methods = served.get(path) ?? new Set();
      served.set(path, methods.add(method));
      if (method === 'GET') methods.add('HEAD');
    }
    this.#paths = [...served].map(([path, methods]) => [
      new RegExp(
        `^/${path
          .replaceAll('.', '\\.')
          .replace(/:rest$/, '.+')
          .replaceAll(/:\w+/g, '[^/]+')}$`,
      ),
      [...methods].sort((a, b) => (a < b ? -1 : 1)).join(', '),
    ]);
  }

  of(url: string): string | null {
    const path = url.split('?', 1)[0]!;
    return this.#paths.find(([pattern]) => pattern.test(path))?.[1] ?? null;
  }
}
