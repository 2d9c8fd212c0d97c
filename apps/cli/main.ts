import { CommanderError } from 'commander';
import { EXIT } from './failures.js';
import { kcmProgram } from './kcm-program.js';
import { explain } from './program.js';

// Who reads what is printed may have read enough: `kcm events tail … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.refused);
});

try {
  await kcmProgram().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  } else {
    process.exitCode = explain(error);
  }
}
