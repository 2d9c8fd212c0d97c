// A relay as a process of its own, to be killed: FOLDER BROKERS. Says `at POSITION` when the lane of all
// events came further, and `sent` when both are at the ledger's head.
import { join } from 'node:path';
import { Relay } from '../../dist/libs/application/index.js';
import { systemRandom, systemScheduler } from '../../dist/libs/kernel/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';
import { KafkaMessaging } from '../../dist/libs/messaging/kafka/index.js';
import { openSqliteReadModels } from '../../dist/libs/read-models/sqlite/index.js';

const [folder, brokers] = process.argv.slice(2);
const told = (error) => process.stderr.write(`${error.message}\n`);
const ports = { random: systemRandom, scheduler: systemScheduler };
const ledger = await openSqliteLedger({ file: join(folder, 'ledger.db'), ...ports });
const checkpoints = await openSqliteReadModels({ file: join(folder, 'read-models.db') });
const publisher = new KafkaMessaging({ brokers: [brokers], clientId: 'kcm-relay', ...ports, told });
const relay = new Relay({
  ...ports,
  ledger,
  checkpoints,
  publisher,
  region: 'local',
  // Its events are of no catalogue.
  catalog: { upcast: (event) => event },
  report: (_name, error) => told(error),
});
relay.start();
const head = await ledger.head();
let last = null;
setInterval(() => {
  const at = relay.health()[0].position;
  if (at !== last) process.stdout.write(`at ${at}\n`);
  last = at;
  if (relay.health().every(({ position }) => position === head)) process.stdout.write('sent\n');
}, 2);
