import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { KcmError, type OneOrMore, oneOrMore } from '@kcm/kernel';

/** An address that passed the guard and to which a connection may go. */
export interface PinnedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}
/** `allow`: CIDRs that are let through besides public addresses (KCM_EGRESS_ALLOW). */
export interface EgressPolicy {
  readonly allow: readonly string[];
}
/** All addresses of a host name, as the system's resolver gives them. */
export type Resolve = (host: string) => Promise<readonly PinnedAddress[]>;

/** The name does not resolve: unlike a refusal, this may pass. */
export class HostUnresolved extends Error {
  constructor() {
    super('the host name does not resolve');
    this.name = 'HostUnresolved';
  }
}

/** IPv4 and IPv6 loopback: what one machine needs to talk to a keystore on itself. */
export const LOOPBACK_CIDRS: readonly string[] = ['127.0.0.0/8', '::1/128'];

/** Every address: for a keystore that the operator names, wherever it is. */
export const ANYWHERE_CIDRS: readonly string[] = ['0.0.0.0/0', '::/0'];

/** Metadata services on addresses that look public: Azure's wire server. */
const METADATA: ReadonlySet<string> = new Set(['168.63.129.16']);
/** RFC 4291 §2.4: global unicast is assigned from here alone. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');

type Cidr = ReturnType<typeof ipaddr.parseCIDR>;
type Address = ReturnType<typeof ipaddr.parse>;

/**
 * Decides which addresses a customer-given host may have. Public unicast passes; private,
 * link-local, loopback, metadata, multicast, unspecified, translated and reserved addresses pass
 * only if a CIDR of the operator holds them. A name passes only if every address of it does.
 */
export class EgressGuard {
  readonly #allow: readonly Cidr[];

  /** @throws KcmError invalid_request naming every entry that is no CIDR */
  constructor(
    policy: EgressPolicy,
    private readonly resolve: Resolve = systemResolve,
  ) {
    const wrong = policy.allow.filter((entry) => !ipaddr.isValidCIDR(entry));
    if (wrong.length > 0)
      throw new KcmError('invalid_request', `not a CIDR: ${wrong.join(', ')}`, {
        errors: wrong.map((entry) => ({
          path: 'KCM_EGRESS_ALLOW',
          code: 'invalid',
          detail: `${entry} is not a CIDR`,
        })),
      });
    this.#allow = policy.allow.map((entry) => ipaddr.parseCIDR(entry));
  }

  /**
   * The addresses a connection to `host` may use; the caller connects to these and never resolves
   * the name again, so that a name that changes its mind between check and use moves nothing.
   * `secure` false (plain HTTP) passes for loopback only. `host` as URL.hostname gives it.
   * @throws KcmError keystore_address_refused · HostUnresolved
   */
  async addressesOf(host: string, secure: boolean): Promise<OneOrMore<PinnedAddress>> {
    const literal = host.startsWith('[') ? host.slice(1, -1) : host;
    const found = ipaddr.isValid(literal) ? [pinned(literal)] : await this.resolve(host);
    const addresses = oneOrMore(found);
    if (addresses === null) throw new HostUnresolved();
    for (const { address } of addresses) {
      if (!ipaddr.isValid(address) || !this.allows(address)) throw refusedAddress(host);
      if (!secure && ipaddr.process(address).range() !== 'loopback')
        throw new KcmError(
          'keystore_address_refused',
          `Plain HTTP leaves this machine for ${host}; a keystore there is reached over TLS only.`,
          { step: 'network' },
        );
    }
    return addresses;
  }

  /** Whether one address may be connected to. */
  allows(address: string): boolean {
    const parsed = ipaddr.process(address);
    return this.#allow.some((cidr) => matches(parsed, cidr)) || isPublic(parsed);
  }
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast' || METADATA.has(address.toString())) return false;
  return address.kind() === 'ipv4' || matches(address, GLOBAL_UNICAST);
}

function matches(address: Address, [network, bits]: Cidr): boolean {
  if (address instanceof ipaddr.IPv4 && network instanceof ipaddr.IPv4)
    return address.match(network, bits);
  if (address instanceof ipaddr.IPv6 && network instanceof ipaddr.IPv6)
    return address.match(network, bits);
  return false;
}

const pinned = (address: string): PinnedAddress => ({
  address,
  family: ipaddr.parse(address).kind() === 'ipv4' ? 4 : 6,
});

const refusedAddress = (host: string): KcmError =>
  new KcmError(
    'keystore_address_refused',
    `${host} has an address that is private, link-local, loopback or reserved; ` +
      'the operator can allow it in KCM_EGRESS_ALLOW.',
    { step: 'network' },
  );

async function systemResolve(host: string): Promise<readonly PinnedAddress[]> {
  try {
    const all = await lookup(host, { all: true });
    return all.map(({ address }) => pinned(address));
  } catch {
    throw new HostUnresolved();
  }
}
