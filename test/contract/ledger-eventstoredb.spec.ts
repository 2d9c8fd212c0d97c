import { systemRandom } from '@kcm/kernel';
import { openEventStoreLedger } from '@kcm/ledger/eventstoredb';
import { ledgerContract } from '@kcm/testing';
import { randomBytes } from 'node:crypto';
import { EventStoreDouble } from '../support/eventstoredb-double.js';

/** A real server, for who has one; without it the wire double stands in, and says so. */
const url = process.env['EVENTSTORE_URL'];
let double: EventStoreDouble | null = null;
beforeAll(() => {
  if (url === undefined) double = EventStoreDouble.begin();
});
afterAll(() => double?.end());

const name = url === undefined ? 'EventStoreDB, wire double' : 'EventStoreDB, a real server';
ledgerContract(name, async () => {
  const store = await double?.store();
  // A namespace of its own: a real server keeps what earlier runs wrote.
  const namespace = `t${randomBytes(8).toString('hex')}`;
  const at = store?.url ?? url!;
  return {
    open: () => openEventStoreLedger({ url: at, random: systemRandom, namespace }),
    dispose: async () => store?.stop(),
  };
});
