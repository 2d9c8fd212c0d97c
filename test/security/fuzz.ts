import * as fc from 'fast-check';

type Schema = Readonly<Record<string, unknown>>;
export interface Operation {
  readonly method: string;
  readonly path: string;
  /** Statuses of success that are declared. */
  readonly statuses: readonly number[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: Schema;
  }[];
  readonly body: Schema | null;
  readonly roles: readonly string[];
}
export interface FuzzedRequest {
  readonly operation: Operation;
  readonly path: string;
  readonly who: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
}

export function operationsOf(document: unknown): readonly Operation[] {
  return Object.entries((document as OpenApi).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, declared]): Operation => {
      const content = (declared['requestBody'] as Schema | undefined)?.['content'] as
        Record<string, Schema> | undefined;
      return {
        method: method.toUpperCase(),
        path,
        statuses: Object.keys(declared['responses'] as object)
          .map(Number)
          .filter(Number.isInteger),
        parameters: declared['parameters'] as Operation['parameters'],
        roles: (declared['x-kcm-roles'] ?? []) as string[],
        body: (content?.['application/json']?.['schema'] as Schema | undefined) ?? null,
      };
    }),
  );
}

const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.toWellFormed()),
  fc.constantFrom('', ' ', '\0', '__proto__', 'a'.repeat(300), -1, 0, 1e21, 2 ** 53, null, [], {}),
);

/** Mostly a value that the schema takes, sometimes anything. */
function valueOf(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: fitting(schema) }, { weight: 1, arbitrary: junk });
}

function fitting(schema: Schema): fc.Arbitrary<unknown> {
  const forms = (schema['anyOf'] ?? schema['oneOf']) as readonly Schema[] | undefined;
  if (forms !== undefined) return fc.oneof(...forms.map(valueOf));
  if ('const' in schema) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  const [min, max] = [schema['minimum'], schema['maximum']].map((bound) => Number(bound ?? 0));
  switch (schema['type']) {
    case 'string':
      return stringOf(schema);
    case 'integer':
    case 'number':
      return fc.integer({ min: min!, max: Math.min(Math.max(max!, min!), 2 ** 31 - 1) });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(valueOf((schema['items'] ?? {}) as Schema), { maxLength: 4 });
    case 'object':
      return objectOf(schema);
    default:
      return junk;
  }
}

function stringOf({ pattern, minLength, maxLength }: Schema): fc.Arbitrary<string> {
  // Of a class that leaves out only what it names, halves of characters would be drawn too.
  if (typeof pattern === 'string' && !pattern.startsWith('^[^')) {
    return fc.stringMatching(new RegExp(pattern), { size: 'small' });
  }
  const size = {
    minLength: Number(minLength ?? 0),
    maxLength: Math.min(Number(maxLength ?? 40), 40),
  };
  return fc.string(size);
}

function objectOf(schema: Schema): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const required = (schema['required'] ?? []) as string[];
  const known = fc.record(
    Object.fromEntries(properties.map(([name, inner]) => [name, valueOf(inner)])),
    { requiredKeys: required.filter((name) => properties.some(([each]) => each === name)) },
  );
  if (properties.length === 0 && schema['additionalProperties'] !== false) {
    return fc.dictionary(fc.string({ maxLength: 12 }), junk, { maxKeys: 4 });
  }
  return fc.oneof(
    { weight: 8, arbitrary: known },
    {
      weight: 1,
      arbitrary: fc
        .tuple(known, fc.string({ minLength: 1, maxLength: 12 }), junk)
        .map(([object, name, value]) => ({ ...(object as object), [name]: value })),
    },
  );
}

const headers = fc.record(
  {
    'idempotency-key': fc.oneof(fc.constantFrom('one', 'two'), fc.string({ maxLength: 20 })),
    'if-match': fc.constantFrom('"0"', '"1"', '"7"', '1', '*', ''),
    'kcm-token': fc.constantFrom('x', Buffer.from('["a","b"]').toString('base64url')),
    traceparent: fc.string({ maxLength: 60 }),
  },
  { requiredKeys: [] },
);

/**
 * Requests over all operations: ids that exist and others, bodies that fit and others, mostly by
 * somebody who may. `people`: who holds which role.
 */
export function requests(
  operations: readonly Operation[],
  ids: Readonly<Record<string, readonly string[]>>,
  people: Readonly<Record<string, string>>,
): fc.Arbitrary<FuzzedRequest> {
  const all = Object.values(people);
  return fc.constantFrom(...operations).chain((operation) => {
    const { path, parameters, body } = operation;
    const segments = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    const segment = (name: string) =>
      fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...(ids[name] ?? ['none'])) },
        { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }) },
      );
    const able = operation.roles.flatMap((role) => people[role] ?? []);
    const query = parameters.filter((each) => each.in === 'query');
    return fc
      .record({
        names: fc.tuple(...segments.map(segment)),
        query: fc.record(
          Object.fromEntries(query.map((each) => [each.name, valueOf(each.schema)])),
          {
            requiredKeys: [],
          },
        ),
        who: fc.oneof(
          { weight: 6, arbitrary: fc.constantFrom(...(able.length > 0 ? able : all)) },
          { weight: 1, arbitrary: fc.constantFrom(...all) },
        ),
        headers: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, headers),
        body: body === null ? fc.constant(undefined) : valueOf(body),
      })
      .map(({ names, query: asked, who, headers: head, body: sent }) => {
        const filled = segments.reduce(
          (text, name, at) =>
            text.replace(`{${name}}`, encodeURIComponent(names[at]!.toWellFormed())),
          path,
        );
        const search = Object.entries(asked).map(
          ([name, value]) => `${name}=${encodeURIComponent(String(value).toWellFormed())}`,
        );
        const url = search.length === 0 ? filled : `${filled}?${search.join('&')}`;
        const ascii = Object.entries(head).map(([name, value]) => [
          name,
          value.replaceAll(/[^\x20-\x7e]/g, '?'),
        ]);
        return {
          operation,
          path: url,
          who,
          headers: { prefer: 'wait=0', ...(Object.fromEntries(ascii) as Record<string, string>) },
          ...(sent === undefined ? {} : { body: sent }),
        };
      });
  });
}
