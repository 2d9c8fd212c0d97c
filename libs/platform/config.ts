import { join } from 'node:path';
import {
  type FieldError,
  KcmError,
  LIMITS,
  readTextFile,
  REGION_ID,
  SERVICE_ID,
} from '@kcm/kernel';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { issuerKey, issuerSettings } from './oidc/index.js';

const port = z.coerce.number().int().min(0).max(65_535);
/** Requests a second; 0: no limit. */
const rate = z.coerce.number().int().min(0).max(1_000_000);
const cidr = z.string().refine((text) => ipaddr.isValidCIDR(text), 'is not a CIDR');
const cidrs = z
  .string()
  .optional()
  .transform((text) =>
    (text ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
  );
const narrow = cidr.refine((text) => !text.endsWith('/0'), 'is everybody: name the proxies');
/** Where a store is: `embedded` in the data folder, or a URL, which may hold credentials. */
const engine = (embedded: string, url?: { readonly is: RegExp; readonly like: string }) =>
  z
    .string()
    .refine(
      (text) => text === embedded || url?.is.test(text) === true,
      url === undefined ? `only ${embedded} is built` : `must be ${embedded} or ${url.like}`,
    )
    .default(embedded);
const EVENTSTORE = { is: /^esdb(\+discover)?:\/\/[^/]/, like: 'esdb://host:port' };
const KAFKA = { is: /^kafka(\+tls)?:\/\/[^/]/, like: 'kafka://[user:password@]host:port,…' };
const MONGODB = { is: /^mongodb(\+srv)?:\/\/[^/]/, like: 'mongodb://host:port/database' };
/** In the data folder, at a path, or at a server; a URL of MongoDB may have commas of its own. */
const ERASURE_PLACE = /^(sqlite:[^,]*$|mongodb(\+srv)?:\/\/[^/])/;
const ERASURE_DEFAULT = 'sqlite:,sqlite:erasure-copy/erasure.db';
const erasurePlaces = z
  .string()
  .default(ERASURE_DEFAULT)
  .transform((text) => text.split(/\s*,\s*(?=sqlite:|mongodb(?:\+srv)?:\/\/)/))
  .pipe(
    z
      .array(
        z
          .string()
          .regex(ERASURE_PLACE, 'must be sqlite:, sqlite:FILE or mongodb://host:port/database'),
      )
      .min(1)
      .max(2, 'names more than two stores')
      .refine((places) => new Set(places).size === places.length, 'names a store twice'),
  );
/** JSON, or `@` and the file that holds it. */
const json = z.string().transform((text, context): unknown => {
  const wrong = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  let content = text;
  if (text.startsWith('@')) {
    try {
      content = readTextFile(text.slice(1));
    } catch (error) {
      return wrong((error as KcmError).message);
    }
  }
  try {
    return JSON.parse(content) as unknown;
  } catch {
    return wrong('is no JSON');
  }
});
/** Who opens the region at start: a key beside the data, people, or a keystore by its driver. */
type Seal = 'auto' | 'shamir' | `keystore:${string}`;
const FIELDS = 'must be a JSON object of texts, or @ and the file that holds it';
const issuers = z
  .array(issuerSettings, 'must be a JSON array of issuers')
  .min(1, 'names no issuer; remove it')
  .refine((list) => new Set(list.map(({ issuer }) => issuerKey(issuer))).size === list.length, {
    message: 'names an issuer twice',
  });
const server = z.url({ protocol: /^https?$/, error: 'must be http://… or https://…' });
const notBuilt = z.never('is not built in this release; remove it').optional();

const schema = z.object({
  KCM_DATA_DIR: z.string().min(1).default('.kcm'),
  KCM_REGION: z.string().regex(REGION_ID, 'must match [a-z0-9][a-z0-9-]{0,31}').default('local'),
  KCM_BIND: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1'),
  KCM_HTTP_PORT: port.default(8080),
  KCM_KMIP_PORT: port.default(5696),
  KCM_PUBLIC_URL: z.url().optional(),
  KCM_CORE_URL: server.optional(),
  KCM_PROJECTOR_URL: server.optional(),
  KCM_OPERATOR_TOKEN: z.string().min(32, 'must have 32 characters or more').optional(),
  KCM_TLS_CERT: z.string().optional(),
  KCM_TLS_KEY: z.string().optional(),
  KCM_TLS_CA: z.string().optional(),
  KCM_EDGE_SERVICES: z
    .string()
    .default('default')
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(z.string().regex(SERVICE_ID, 'is not a service id')).min(1)),
  KCM_EDGE_PORT: notBuilt,
  KCM_SEAL: z
    .custom<Seal>(
      (text) => typeof text === 'string' && /^(auto|shamir|keystore:[a-z0-9]+)$/.test(text),
      'must be auto, shamir or keystore:<driver>',
    )
    .default('auto'),
  KCM_SEAL_REFERENCE: json.pipe(z.record(z.string(), z.string(), FIELDS)).optional(),
  // Read anew whenever it is used: whoever renews a token writes it to that file.
  KCM_SEAL_CREDENTIALS: z
    .string()
    .refine((text) => json.pipe(z.record(z.string(), z.string())).safeParse(text).success, FIELDS)
    .optional(),
  KCM_OIDC_ISSUERS: json
    .pipe(issuers)
    .optional()
    .transform((list) => list ?? []),
  KCM_RATE_LIMIT: rate.default(1_000),
  KCM_RATE_LIMIT_ANONYMOUS: rate.default(200),
  KCM_TRUSTED_PROXIES: cidrs.pipe(z.array(narrow)),
  KCM_EGRESS_ALLOW: cidrs.pipe(z.array(cidr)),
  KCM_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  KCM_LEDGER: engine('sqlite:', EVENTSTORE),
  KCM_READ_MODELS: engine('sqlite:', MONGODB),
  KCM_VAULT: engine('sqlite:', MONGODB),
  KCM_ERASURE: erasurePlaces,
  KCM_ERASURE_BACKUPS: z.string().min(1).default('erasure-backups'),
  KCM_ERASURE_BACKUP_DAYS: z.coerce.number().int().min(0).max(30).default(7),
  KCM_DIRECTORY: engine('sqlite:', MONGODB),
  KCM_MESSAGING: engine('memory:', KAFKA),
  KCM_MESSAGING_CA: z.string().optional(),
  KCM_MESSAGING_CERT: z.string().optional(),
  KCM_MESSAGING_KEY: z.string().optional(),
});

export type Config = z.infer<typeof schema>;
export const Config = Symbol('Config');

/** Which program reads the settings: all in one process, or one of those that run apart. */
export type ProgramName = 'standalone' | 'cmk' | 'core' | 'projector';
type Wrong = (path: keyof Config, detail: string) => void;

/** Stores that processes apart have in common. */
const SHARED = {
  cmk: ['KCM_LEDGER', 'KCM_READ_MODELS', 'KCM_VAULT', 'KCM_DIRECTORY'],
  core: ['KCM_LEDGER', 'KCM_READ_MODELS', 'KCM_VAULT', 'KCM_DIRECTORY'],
  projector: ['KCM_LEDGER', 'KCM_READ_MODELS', 'KCM_DIRECTORY'],
} as const;
const NEIGHBOURS = ['KCM_CORE_URL', 'KCM_PROJECTOR_URL', 'KCM_TLS_CA'] as const;

/** Bearer tokens and shares go there. */
function neighbour(address: string, wrong: (detail: string) => void): void {
  const url = new URL(address);
  if (`${url.origin}/` !== url.href) wrong('is a scheme, a host and a port, and nothing else');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const near = host === 'localhost' || (ipaddr.isValid(host) && isLoopback(host));
  if (url.protocol === 'http:' && !near)
    wrong('plain HTTP is for loopback only: tokens and shares go there; give https://');
}
const isLoopback = (address: string): boolean => ipaddr.parse(address).range() === 'loopback';

function apart(program: ProgramName, config: Partial<Config>, wrong: Wrong): void {
  const { KCM_OPERATOR_TOKEN: token } = config;
  if (program === 'standalone') {
    for (const name of ['KCM_OPERATOR_TOKEN', ...NEIGHBOURS] as const)
      if (config[name] !== undefined) wrong(name, 'is for processes that run apart; remove it');
    return;
  }
  for (const name of SHARED[program])
    if (config[name] === 'sqlite:')
      wrong(name, 'sqlite: is for one process alone; processes apart share a server: give its URL');
  if (token === undefined)
    wrong('KCM_OPERATOR_TOKEN', 'is needed, the same for cmk, core and projector');
  if (program !== 'cmk') return;
  for (const name of ['KCM_CORE_URL', 'KCM_PROJECTOR_URL'] as const) {
    if (config[name] === undefined) wrong(name, 'is needed: where that process answers');
    else neighbour(config[name], (detail) => wrong(name, detail));
  }
}

/** What no setting shows alone; asked of those that are right by themselves. */
function together(config: Partial<Config>, program: ProgramName): FieldError[] {
  const errors: FieldError[] = [];
  const wrong = (path: string, detail: string) => errors.push({ path, code: 'custom', detail });
  apart(program, config, wrong);
  const { KCM_BIND: bind, KCM_DATA_DIR: folder } = config;
  for (const name of ['KCM_MESSAGING_CA', 'KCM_MESSAGING_CERT', 'KCM_MESSAGING_KEY'] as const)
    if (config.KCM_MESSAGING === 'memory:' && config[name] !== undefined)
      wrong(name, 'is for a broker: KCM_MESSAGING names none');
  const byKeystore = config.KCM_SEAL?.startsWith('keystore:') === true;
  for (const name of ['KCM_SEAL_REFERENCE', 'KCM_SEAL_CREDENTIALS'] as const) {
    if (!byKeystore && config.KCM_SEAL !== undefined && config[name] !== undefined)
      wrong(name, 'is for KCM_SEAL=keystore:<driver>; remove it');
  }
  if (byKeystore && config.KCM_SEAL_REFERENCE === undefined)
    wrong('KCM_SEAL_REFERENCE', 'is needed: which key of that keystore opens the region');
  if ((config.KCM_TLS_CERT === undefined) !== (config.KCM_TLS_KEY === undefined)) {
    wrong('KCM_TLS_CERT', 'and KCM_TLS_KEY go together');
  }
  const loopback = bind === undefined || isLoopback(bind);
  if (!loopback && config.KCM_TLS_CERT === undefined) {
    wrong('KCM_BIND', 'plain HTTP is served on loopback only; give KCM_TLS_CERT and KCM_TLS_KEY');
  }
  for (const service of config.KCM_EDGE_SERVICES ?? []) {
    if (folder === undefined) break;
    const path = join(folder, 'edge', `${service}.sock`);
    if (Buffer.byteLength(path) > LIMITS.socketPathBytesMax) {
      wrong('KCM_DATA_DIR', `the socket path ${path} is over ${LIMITS.socketPathBytesMax} bytes`);
    }
  }
  return errors;
}

const known = new Set(Object.keys(schema.shape));
/** Read by other programs of this product, or by the launcher. */
const elsewhere = new Set(['KCM_CORE', 'KCM_URL', 'KCM_TOKEN']);

/** `X_FILE` reads the value of X from a file. */
function withFiles(env: NodeJS.ProcessEnv, errors: FieldError[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('KCM_') || value === undefined || value === '') continue;
    const target = name.endsWith('_FILE') ? name.slice(0, -5) : name;
    if (elsewhere.has(target)) continue;
    if (!known.has(target)) {
      errors.push({ path: name, code: 'unknown', detail: 'no such setting' });
    } else if (target === name) {
      values[name] = value;
    } else if (env[target]) {
      const detail = `${name} and ${target} are both given: which one is meant?`;
      errors.push({ path: target, code: 'ambiguous', detail });
    } else {
      try {
        values[target] = readTextFile(value).trim();
      } catch (error) {
        const { message: detail } = error as KcmError;
        errors.push({ path: name, code: 'unreadable', detail });
      }
    }
  }
  return values;
}

/** What KCM_SEAL_CREDENTIALS says now. @throws KcmError invalid_request */
export function readSealCredentials({ KCM_SEAL_CREDENTIALS: text }: Config): Texts | null {
  if (text === undefined) return null;
  const read = json.pipe(z.record(z.string(), z.string())).safeParse(text);
  if (read.success) return read.data;
  throw new KcmError('invalid_request', `KCM_SEAL_CREDENTIALS ${FIELDS}.`);
}
type Texts = Readonly<Record<string, string>>;

/** @throws KcmError invalid_request naming every wrong variable at once */
export function readConfig(env: NodeJS.ProcessEnv, program: ProgramName = 'standalone'): Config {
  const errors: FieldError[] = [];
  const values = withFiles(env, errors);
  const parsed = schema.safeParse(values);
  for (const issue of parsed.error?.issues ?? []) {
    const [name, item, ...inside] = issue.path;
    const at = [...(item === undefined ? [] : [`item ${Number(item) + 1}`]), ...inside].join('.');
    const detail = `${at === '' ? '' : `${at}: `}${issue.message}`;
    errors.push({ path: String(name), code: issue.code, detail });
  }
  const wrong = new Set(errors.map((error) => error.path));
  const right = Object.entries(schema.shape)
    .filter(([name]) => !wrong.has(name))
    .map(([name, setting]) => [name, setting.parse(values[name])]);
  errors.push(...together(Object.fromEntries(right) as Partial<Config>, program));
  if (errors.length > 0 || !parsed.success) {
    const list = errors.map((error) => `  ${error.path}: ${error.detail}`).join('\n');
    throw new KcmError('invalid_request', `These settings are wrong:\n${list}`, { errors });
  }
  return parsed.data;
}
