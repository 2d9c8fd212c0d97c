import { among, networkOf } from './network.js';

describe('An address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:50000', '192.0.2.1'],
    ['2001:db8:1:2::1', '2001:db8:1:2'],
    ['2001:db8:1:2:ffff::2', '2001:db8:1:2'],
    ['[2001:db8:1:2::1]:443', '2001:db8:1:2'],
    ['', 'unknown'],
    ['somebody', 'unknown'],
    ['192.0.2.1, 192.0.2.2', 'unknown'],
  ])('%s is of network %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it('is among ranges of its own kind, however it is written', () => {
    const trusted = among(['10.0.0.0/8', 'fd00::/8']);
    expect(
      ['10.1.2.3', '::ffff:10.1.2.3', '10.1.2.3:80', 'fd00::1', '[fd00::1]:80'].filter(trusted),
    ).toHaveLength(5);
    expect(['11.0.0.1', 'fe00::1', '::1', '', 'unknown', '10.0.0.0/8'].filter(trusted)).toEqual([]);
    expect(['10.0.0.1', '::1'].filter(among([]))).toEqual([]);
  });
});
