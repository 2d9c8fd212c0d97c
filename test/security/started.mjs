// Imported before a program, whenever that starts: writes to the file in STARTS who starts, and with
// which settings of its allocator.
import { appendFileSync } from 'node:fs';

const { pid, env } = process;
appendFileSync(env.STARTS, `${JSON.stringify({ pid, tunables: env.GLIBC_TUNABLES })}\n`);
