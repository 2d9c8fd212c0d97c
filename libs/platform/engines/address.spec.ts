import { addressOf } from './address.js';

it.each([
  ['esdb://db-1:2113?tls=false', 'db-1:2113'],
  ['mongodb://db-1,db-2:27018/models?w=1', 'db-1,db-2:27018'],
  ['mongodb://u:pass@db-1/models', 'db-1'],
  ['mongodb://u:pa@ss@db-1/models', 'db-1'],
  ['esdb://admin:pa/ss@db-1:2113', 'db-1:2113'],
  ['esdb://admin:pa/s@s?x@db-1:2113/', 'db-1:2113'],
])('of %s is told: %s', (url, address) => expect(addressOf(url)).toBe(address));
