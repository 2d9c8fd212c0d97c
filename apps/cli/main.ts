import { Command, CommanderError } from 'commander';
import { accessCommands } from './commands/access.js';
import { auditCommands } from './commands/audit.js';
import { dataCommands } from './commands/data.js';
import { keyCommands } from './commands/keys.js';
import { keystoreCommands } from './commands/keystore.js';
import { revocationCommands } from './commands/revocations.js';
import { sysCommands } from './commands/sys.js';
import { tenantCommands } from './commands/tenants.js';
import { EXIT } from './failures.js';
import { explain } from './program.js';

const program = new Command('kcm')
  .description('OpenKCM: a key ledger for platforms whose customers hold their own keys')
  .option('--json', 'machine-readable output', false)
  .option('--quiet', 'no output but errors', false)
  .showHelpAfterError('(kcm --help shows every command)')
  .exitOverride();

sysCommands(program);
accessCommands(program);
tenantCommands(program);
keyCommands(program);
revocationCommands(program);
auditCommands(program);
dataCommands(program);
keystoreCommands(program);

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  } else {
    process.exitCode = explain(error);
  }
}
