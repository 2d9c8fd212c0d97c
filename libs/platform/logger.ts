import pino, { type Logger } from 'pino';

/**
 * JSON lines on stderr: stdout stays the program's own. Whatever looks like a secret is cut out.
 */
export const createLogger = (level: string, region: string): Logger =>
  pino(
    {
      level,
      base: { region },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: ['*.authorization', '*.credentials', '*.token', '*.share', '*.plaintext'],
        censor: '[secret]',
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
