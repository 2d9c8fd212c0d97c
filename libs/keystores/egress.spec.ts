import { EgressGuard, HostUnresolved, LOOPBACK_CIDRS, type Resolve } from './egress.js';

const v4 =
  (...addresses: string[]): Resolve =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: 4 as const })));
const refused = { code: 'keystore_address_refused', step: 'network' };

describe('egress guard', () => {
  const strict = new EgressGuard({ allow: [] });

  it.each([
    ['loopback', ['127.0.0.1', '127.8.8.8', '::1']],
    ['unspecified', ['0.0.0.0', '0.1.2.3', '::']],
    ['private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1', 'fc00::1']],
    ['link-local and metadata', ['169.254.169.254', 'fe80::1', 'fd00:ec2::254', '168.63.129.16']],
    ['carrier-grade and metadata', ['100.64.0.1', '100.100.100.200']],
    ['multicast and broadcast', ['224.0.0.1', 'ff02::1', '255.255.255.255']],
    ['reserved', ['192.0.0.192', '192.0.2.1', '198.18.0.1', '240.0.0.1', '2001:db8::1', 'fec0::1']],
    [
      'IPv4 in IPv6',
      ['::ffff:127.0.0.1', '::ffff:169.254.169.254', '::127.0.0.1', '::ffff:0:7f00:1'],
    ],
    ['translated and tunnelled', ['64:ff9b::a00:1', '2002:7f00:1::', '2001::1']],
  ])('refuses %s addresses', (_, addresses) => {
    expect(addresses.filter((address) => strict.allows(address))).toEqual([]);
  });

  it('lets public addresses pass', () => {
    const addresses = ['8.8.8.8', '172.32.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8'];
    expect(addresses.filter((address) => !strict.allows(address))).toEqual([]);
  });

  it('lets pass what the operator lists, and nothing beside it', () => {
    const guard = new EgressGuard({ allow: ['10.1.0.0/16', 'fd12::/32', ...LOOPBACK_CIDRS] });
    const asked = [
      '10.1.2.3',
      '10.2.0.1',
      'fd12::9',
      'fd13::9',
      '127.0.0.1',
      '::1',
      '::ffff:10.1.0.1',
    ];
    expect(asked.map((address) => guard.allows(address))).toEqual([
      true,
      false,
      true,
      false,
      true,
      true,
      true,
    ]);
  });

  it('names every entry of the allow list that is no CIDR', () => {
    expect(() => new EgressGuard({ allow: ['10.0.0.0/8', '10.0.0.1', 'x/8'] })).toThrow(
      'not a CIDR: 10.0.0.1, x/8',
    );
  });

  it('reads every way to write an address as the address it is', async () => {
    for (const host of ['2130706433', '0x7f.1', '0177.0.0.1', '[::ffff:7f00:1]', '[::1]']) {
      const { hostname } = new URL(`http://${host}/`);
      await expect(strict.addressesOf(hostname, true)).rejects.toMatchObject(refused);
    }
  });

  it('refuses a name as soon as one of its addresses is refused', async () => {
    const guard = new EgressGuard({ allow: [] }, v4('8.8.8.8', '10.0.0.1'));
    await expect(guard.addressesOf('kms.example', true)).rejects.toMatchObject(refused);
    const sound = new EgressGuard({ allow: [] }, v4('8.8.8.8', '8.8.4.4'));
    expect(await sound.addressesOf('kms.example', true)).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '8.8.4.4', family: 4 },
    ]);
  });

  it('tells a name without addresses from a refused one', async () => {
    const guard = new EgressGuard({ allow: [] }, v4());
    await expect(guard.addressesOf('kms.example', true)).rejects.toBeInstanceOf(HostUnresolved);
    await expect(strict.addressesOf('no-such-host.invalid', true)).rejects.toBeInstanceOf(
      HostUnresolved,
    );
  });

  it('lets plain HTTP go to loopback only, whatever the operator lists', async () => {
    const guard = new EgressGuard({ allow: ['10.0.0.0/8', ...LOOPBACK_CIDRS] });
    await expect(guard.addressesOf('10.0.0.1', false)).rejects.toMatchObject(refused);
    expect(await guard.addressesOf('10.0.0.1', true)).toHaveLength(1);
    expect(await guard.addressesOf('127.0.0.1', false)).toHaveLength(1);
  });
});
