import { isIPv4 } from 'node:net';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type FieldError, KcmError, type OneOrMore } from '@kcm/kernel';

/** PEM texts. */
export interface KafkaTlsFiles {
  /** Who vouches for the brokers. Without one: whom Node trusts. */
  readonly ca?: string | undefined;
  /** Who we are to the brokers, with `privateKey`. */
  readonly certificate?: string | undefined;
  readonly privateKey?: string | undefined;
}

/** Where the brokers are, and who we are there. Nothing that prints it shows a secret. */
export interface KafkaServer {
  readonly brokers: OneOrMore<string>;
  readonly tls: KafkaTls | null;
  readonly login: KafkaLogin | null;
}
export interface KafkaTls {
  /** Whom we trust, and our certificate with its key. */
  readonly context: SecureContext;
}
export interface KafkaLogin {
  readonly mechanism: 'scram-sha-512' | 'scram-sha-256';
  readonly user: string;
  readonly password: () => string;
}

const URL = /^(kafka|kafka\+tls):\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\?([^#]*))?$/;
const LIKE = 'kafka://[user:password@]host:port,host:port[?mechanism=…], or kafka+tls://…';
/** The client takes no address of IPv6. */
const BROKER = /^([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}))(?::([0-9]{1,5}))?$/;
const MECHANISMS = ['scram-sha-512', 'scram-sha-256'] as const;

type Wrong = (path: string, detail: string) => void;

/**
 * Reads `kafka://[user:password@]host:port,…`. TLS is on where a CA is given or the scheme is
 * `kafka+tls`. The log-in is SCRAM-SHA-512, or what `?mechanism=scram-sha-256` names; in plain text
 * on loopback only.
 * @throws KcmError invalid_request that names every wrong field, and quotes neither user nor
 * password
 */
export function kafkaOptions(url: string, files: KafkaTlsFiles = {}): KafkaServer {
  const errors: FieldError[] = [];
  const wrong: Wrong = (path, detail) => errors.push({ path, code: 'invalid', detail });
  const [, scheme, who, hosts = '', query = ''] = URL.exec(url) ?? [];
  if (scheme === undefined) {
    wrong('url', `must be ${LIKE}`);
    throw refused(errors);
  }
  const brokers = brokersOf(hosts, wrong);
  const login = loginOf(who, mechanismOf(query, who !== undefined, wrong), wrong);
  const secured = scheme === 'kafka+tls' || files.ca !== undefined;
  const tls = secured ? tlsOf(files, wrong) : null;
  if (!secured && (files.certificate !== undefined || files.privateKey !== undefined))
    wrong('tls.certificate', 'is shown over TLS only: give a ca, or kafka+tls://');
  if (login !== null && !secured && !brokers.every((one) => isLoopback(hostOf(one))))
    wrong('scheme', 'a log-in in plain text is for loopback only: give a ca, or kafka+tls://');
  const [first, ...others] = brokers;
  if (errors.length > 0 || first === undefined) throw refused(errors);
  return { brokers: [first, ...others], tls, login };
}

export const hostOf = (broker: string): string => broker.slice(0, broker.lastIndexOf(':'));
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || (isIPv4(host) && host.startsWith('127.'));

const refused = (errors: readonly FieldError[]): KcmError => {
  const list = errors.map(({ path, detail }) => `${path} ${detail}`).join('; ');
  return new KcmError('invalid_request', `The address of Kafka is wrong: ${list}.`, { errors });
};

function brokersOf(hosts: string, wrong: Wrong): string[] {
  const brokers = hosts.split(',');
  for (const [index, broker] of brokers.entries()) {
    const [, host, port] = BROKER.exec(broker) ?? [];
    const path = brokers.length === 1 ? 'host' : `host ${index + 1}`;
    if (host === undefined) wrong(path, 'must be host:port, with a name or an address of IPv4');
    else if (port === undefined) wrong(path, 'has no port');
    else if (Number(port) < 1 || Number(port) > 65_535) wrong(path, 'has a port that is none');
  }
  return brokers;
}

function mechanismOf(query: string, known: boolean, wrong: Wrong): KafkaLogin['mechanism'] {
  const settings = new URLSearchParams(query);
  for (const name of new Set(settings.keys()))
    if (name !== 'mechanism') wrong(`?${name.slice(0, 32)}`, 'is not known');
  const given = settings.getAll('mechanism');
  if (given.length > 0 && !known) wrong('?mechanism', 'is for a log-in: there is no user');
  if (given.length > 1) wrong('?mechanism', 'is given twice');
  if (given[0] === undefined) return MECHANISMS[0];
  const mechanism = MECHANISMS.find((one) => one === given[0]!.toLowerCase());
  if (mechanism === undefined) wrong('?mechanism', `must be ${MECHANISMS.join(' or ')}`);
  return mechanism ?? MECHANISMS[0];
}

function loginOf(
  who: string | undefined,
  mechanism: KafkaLogin['mechanism'],
  wrong: Wrong,
): KafkaLogin | null {
  if (who === undefined) return null;
  const at = who.indexOf(':');
  const user = decoded(at < 0 ? who : who.slice(0, at), 'user', wrong);
  const password = at < 0 ? '' : decoded(who.slice(at + 1), 'password', wrong);
  if (user === '') wrong('user', 'is empty');
  if (password === '') wrong('password', at < 0 ? 'is not there: user:password@' : 'is empty');
  // A function, so that nothing that prints the options prints it.
  return { mechanism, user: user ?? '', password: () => password ?? '' };
}

function decoded(text: string, path: string, wrong: Wrong): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    wrong(path, 'is not percent-encoded as it should be');
    return null;
  }
}

function tlsOf(files: KafkaTlsFiles, wrong: Wrong): KafkaTls | null {
  const { ca, certificate: cert, privateKey: key } = files;
  const good = [
    // What is no CA would be passed over in silence: it is tried where only a certificate may be.
    ca === undefined || contextOf({ cert: ca }, 'tls.ca', 'is no certificate in PEM', wrong),
    cert === undefined || contextOf({ cert }, 'tls.certificate', 'is no certificate in PEM', wrong),
    key === undefined ||
      contextOf({ key }, 'tls.privateKey', 'is no key in PEM without a passphrase', wrong),
  ];
  if (cert === undefined && key !== undefined)
    wrong('tls.certificate', 'is not there, but its key is');
  if (cert !== undefined && key === undefined)
    wrong('tls.privateKey', 'is not there, but its certificate is');
  if (good.includes(null)) return null;
  const given = { minVersion: 'TLSv1.2', ...defined({ ca, cert, key }) } as const;
  const context = contextOf(given, 'tls.privateKey', 'is the key of another certificate', wrong);
  return context === null ? null : { context };
}

function contextOf(
  options: SecureContextOptions,
  path: string,
  detail: string,
  wrong: Wrong,
): SecureContext | null {
  try {
    return createSecureContext(options);
  } catch {
    wrong(path, detail);
    return null;
  }
}

const defined = (files: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(files).flatMap(([name, pem]) => (pem === undefined ? [] : [[name, pem]])),
  );
