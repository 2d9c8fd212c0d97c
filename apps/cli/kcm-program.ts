import { printableText } from '@kcm/kernel';
import { Command } from 'commander';
import { accessCommands } from './commands/access.js';
import { auditCommands } from './commands/audit.js';
import { backupCommands } from './commands/backup.js';
import { completionCommand } from './commands/completion.js';
import { dataCommands } from './commands/data.js';
import { doctorCommand } from './commands/doctor.js';
import { edgeCommands } from './commands/edges.js';
import { eventCommands } from './commands/events.js';
import { keyCommands } from './commands/keys.js';
import { keystoreCommands } from './commands/keystore.js';
import { ledgerCommands } from './commands/ledger.js';
import { operationCommands } from './commands/operations.js';
import { projectionCommands } from './commands/projections.js';
import { receiptCommands } from './commands/receipts.js';
import { revocationCommands } from './commands/revocations.js';
import { rootKeyCommands } from './commands/root-keys.js';
import { serviceCommands } from './commands/services.js';
import { sysCommands } from './commands/sys.js';
import { tenantCommands } from './commands/tenants.js';
import { VERSION } from './version.js';

/** Every command of `kcm`. Parsing throws CommanderError instead of ending the process. */
export function kcmProgram(): Command {
  const program = new Command('kcm')
    .description('OpenKCM: a key ledger for platforms whose customers hold their own keys')
    .version(VERSION, '--version', 'the version of kcm')
    .option('--json', 'one JSON document; a line of JSON each for what is followed', false)
    .option('--quiet', 'ids alone, and errors', false)
    .option('--no-color', 'no colour on a terminal either (as NO_COLOR)')
    .showHelpAfterError('(kcm --help shows every command)')
    .configureOutput({
      // It says again what was typed.
      writeErr: (text) => process.stderr.write(printableText(text)),
    })
    .exitOverride();
  sysCommands(program);
  doctorCommand(program);
  accessCommands(program);
  edgeCommands(program);
  ledgerCommands(program);
  backupCommands(program);
  projectionCommands(program);
  tenantCommands(program);
  serviceCommands(program);
  rootKeyCommands(program);
  keyCommands(program);
  revocationCommands(program);
  receiptCommands(program);
  operationCommands(program);
  auditCommands(program);
  eventCommands(program);
  dataCommands(program);
  keystoreCommands(program);
  completionCommand(program);
  return program;
}
