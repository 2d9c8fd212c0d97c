import ipaddr from 'ipaddr.js';

/** As some proxies write it. */
const WITH_PORT = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([^\]]+)\])(?::\d+)?$/;

function parsed(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const [, v4, v6] = WITH_PORT.exec(text) ?? [];
  const address = v4 ?? v6 ?? text;
  return ipaddr.isValid(address) ? ipaddr.process(address) : null;
}

/**
 * Who is limited as one: an IPv6 network is one customer's; an IPv4 address stands alone; all that
 * is no address is one.
 */
export function networkOf(text: string): string {
  const address = parsed(text);
  if (address === null) return 'unknown';
  return address instanceof ipaddr.IPv6
    ? address.parts
        .slice(0, 4)
        .map((part) => part.toString(16))
        .join(':')
    : address.toNormalizedString();
}

/** Whether an address is in one of these. */
export function among(cidrs: readonly string[]): (address: string) => boolean {
  const ranges = cidrs.map((cidr) => ipaddr.parseCIDR(cidr));
  return (text) => {
    const address = parsed(text);
    return (
      address !== null &&
      ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits))
    );
  };
}
