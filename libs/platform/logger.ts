import { printableJson, rfc3339, stderrLines, systemClock } from '@kcm/kernel';
import pino, { type Logger } from 'pino';
import { currentCorrelation } from './http/correlation.js';

const CHARS_MAX = 4_096;
const CAUSES_MAX = 3;

/**
 * Never an error whole: a client's error may carry the request that it failed with, and that its
 * token. Type, code, message and stack, and the same of what caused it.
 */
export function errorForLog(raised: unknown, causes = 0): unknown {
  if (!(raised instanceof Error)) return { type: typeof raised, message: clipped(String(raised)) };
  const { name, message, stack, cause } = raised;
  const { code } = raised as { readonly code?: unknown };
  return {
    type: name,
    ...(typeof code === 'string' ? { code } : {}),
    message: clipped(message),
    stack: clipped(stack ?? ''),
    ...(cause === undefined || causes >= CAUSES_MAX
      ? {}
      : { cause: errorForLog(cause, causes + 1) }),
  };
}

const clipped = (text: string): string => text.slice(0, CHARS_MAX);

/**
 * JSON lines on stderr: stdout stays the program's own. One line is one entry whatever is in it, and
 * has the correlation id of the request or step that it was written in. What looks like a secret
 * is cut out besides.
 */
export function createLogger(
  level: string,
  region: string,
  write: (line: string) => void = stderrLines((lost) => lostLine(region, lost)),
): Logger {
  return pino(
    {
      level,
      base: { region },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: errorForLog },
      mixin: () => {
        const correlationId = currentCorrelation();
        return correlationId === undefined ? {} : { correlationId };
      },
      redact: {
        paths: ['*.authorization', '*.credentials', '*.token', '*.share', '*.plaintext'],
        censor: '[secret]',
      },
    },
    { write: (line: string) => write(printableJson(line)) },
  );
}

function lostLine(region: string, lost: number): string {
  const time = rfc3339(systemClock.wallMs());
  const msg = 'lines of the log were lost: nobody took them';
  return `${JSON.stringify({ level: pino.levels.values['warn'], time, region, lost, msg })}\n`;
}
