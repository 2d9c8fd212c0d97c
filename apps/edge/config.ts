import { join } from 'node:path';
import { edgeSockets } from '@kcm/edge';
import { KcmError, readTextFile, REGION_ID, SERVICE_ID, type FieldError } from '@kcm/kernel';
import { LOG_LEVELS, type LogLevel } from './log.js';

/** What an Edge alone is configured with; all PEM. */
export interface EdgeConfig {
  readonly coreHost: string;
  readonly corePort: number;
  readonly certificate: string;
  readonly privateKey: string;
  readonly ca: string;
  readonly services: readonly string[];
  readonly dataDir: string;
  /** Null: whatever region the certificate names. */
  readonly region: string | null;
  readonly logLevel: LogLevel;
  /** Null: revocations are heard of from Core alone. */
  readonly messaging: MessagingConfig | null;
}
/** Where Kafka is, as it was given; it may hold a password. */
export interface MessagingConfig {
  readonly url: string;
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly privateKey: string | undefined;
}
const KNOWN = [
  'KCM_CORE',
  'KCM_TLS_CERT',
  'KCM_TLS_KEY',
  'KCM_TLS_CA',
  'KCM_EDGE_SERVICES',
  'KCM_DATA_DIR',
  'KCM_REGION',
  'KCM_LOG_LEVEL',
  'KCM_MESSAGING',
  'KCM_MESSAGING_CA',
  'KCM_MESSAGING_CERT',
  'KCM_MESSAGING_KEY',
] as const;
type Name = (typeof KNOWN)[number];
const NOT_BUILT: Readonly<Record<string, string>> = {
  KCM_EDGE_PORT: 'an Edge listens on Unix sockets only',
};
const CERTIFICATE = /-----BEGIN CERTIFICATE-----/;
const PRIVATE_KEY = /-----BEGIN (EC |RSA )?PRIVATE KEY-----/;
/** A host name, an IPv4 address or a bracketed IPv6 address, and a port. */
const CORE = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/;

/**
 * From environment variables; `X_FILE` reads X from a file, and the TLS ones may also be a path.
 * @throws KcmError invalid_request naming every wrong variable
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): EdgeConfig {
  const errors: FieldError[] = [];
  const wrong = (path: string, code: string, detail: string): null => {
    errors.push({ path, code, detail });
    return null;
  };
  for (const [name, detail] of Object.entries(NOT_BUILT))
    if (env[name]) wrong(name, 'not_built', detail);
  const value = (name: Name): string | null => {
    const file = env[`${name}_FILE`];
    if (file && env[name]) return wrong(name, 'ambiguous', `${name}_FILE is given too`);
    if (!file) return env[name] || null;
    return readText(file) ?? wrong(`${name}_FILE`, 'unreadable', `cannot read ${file}`);
  };
  const pem = (name: Name, label: RegExp, what: string): string => {
    const text = optionalPem(name, label, what);
    if (text === undefined && !errors.some(({ path }) => path.startsWith(name)))
      wrong(name, 'required', `${what} in PEM, or its path`);
    return text ?? '';
  };
  const optionalPem = (name: Name, label: RegExp, what: string): string | undefined => {
    const given = value(name);
    if (given === null) return undefined;
    const text = given.includes('-----BEGIN') ? given : readText(given);
    if (text === null) wrong(name, 'unreadable', `neither PEM nor a file: ${what} is needed`);
    else if (!label.test(text)) wrong(name, 'invalid', `is not ${what} in PEM`);
    return text ?? '';
  };
  const messagingOf = (): MessagingConfig | null => {
    const url = value('KCM_MESSAGING');
    const ca = optionalPem('KCM_MESSAGING_CA', CERTIFICATE, 'the brokers’ authority');
    const certificate = optionalPem('KCM_MESSAGING_CERT', CERTIFICATE, 'a certificate for them');
    const privateKey = optionalPem('KCM_MESSAGING_KEY', PRIVATE_KEY, 'its private key');
    if (url === null && (ca ?? certificate ?? privateKey) !== undefined)
      return wrong('KCM_MESSAGING', 'required', 'the brokers that its certificates are for');
    if (url !== null && !/^kafka(\+tls)?:\/\//.test(url))
      return wrong('KCM_MESSAGING', 'invalid', 'kafka://[user:password@]host:port,…');
    return url === null ? null : { url, ca, certificate, privateKey };
  };
  const core = CORE.exec(value('KCM_CORE') ?? '');
  const corePort = Number(core?.[3]);
  if (core === null || corePort < 1 || corePort > 65_535)
    wrong('KCM_CORE', env['KCM_CORE'] ? 'invalid' : 'required', 'host:port of Core’s KMIP door');
  const certificate = pem('KCM_TLS_CERT', CERTIFICATE, 'the Edge’s certificate');
  const privateKey = pem('KCM_TLS_KEY', PRIVATE_KEY, 'its private key');
  const ca = pem('KCM_TLS_CA', CERTIFICATE, 'the region’s authority');
  const messaging = messagingOf();
  const services = (value('KCM_EDGE_SERVICES') ?? 'default').split(',').map((id) => id.trim());
  const dataDir = value('KCM_DATA_DIR') ?? '.kcm';
  if (services.every((id) => SERVICE_ID.test(id)) && new Set(services).size === services.length)
    checkSockets(dataDir, services, wrong);
  else wrong('KCM_EDGE_SERVICES', 'invalid', 'service ids, each once, comma-separated');
  const region = value('KCM_REGION');
  if (region !== null && !REGION_ID.test(region))
    wrong('KCM_REGION', 'invalid', 'must match [a-z0-9][a-z0-9-]{0,31}');
  const logLevel = LOG_LEVELS.find((level) => level === (value('KCM_LOG_LEVEL') ?? 'info'));
  if (logLevel === undefined) wrong('KCM_LOG_LEVEL', 'invalid', `one of ${LOG_LEVELS.join(', ')}`);
  if (errors.length > 0) {
    const list = errors.map(({ path, detail }) => `${path}: ${detail}`).join('; ');
    throw new KcmError('invalid_request', `The configuration is wrong: ${list}`, { errors });
  }
  const coreHost = core![1] ?? core![2]!;
  const tls = { certificate, privateKey, ca };
  return { coreHost, corePort, ...tls, services, dataDir, region, logLevel: logLevel!, messaging };
}

/** Folder of the sockets. */
export const socketDirOf = (dataDir: string): string => join(dataDir, 'edge');

function checkSockets(
  dataDir: string,
  services: readonly string[],
  wrong: (path: string, code: string, detail: string) => null,
): void {
  try {
    edgeSockets(socketDirOf(dataDir), services);
  } catch (error) {
    wrong('KCM_DATA_DIR', 'too_long', (error as Error).message);
  }
}

function readText(path: string): string | null {
  try {
    return readTextFile(path).trim();
  } catch {
    return null;
  }
}
