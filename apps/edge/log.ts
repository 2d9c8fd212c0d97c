import { printableJson, rfc3339, systemClock } from '@kcm/kernel';

const NUMBER = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;
export type LogLevel = keyof typeof NUMBER;
export const LOG_LEVELS = Object.keys(NUMBER) as readonly LogLevel[];
export type Log = (
  level: LogLevel,
  msg: string,
  fields?: Readonly<Record<string, string | undefined>>,
) => void;

const lineOf = (level: LogLevel, msg: string, fields: object): string =>
  printableJson(
    JSON.stringify({ level: NUMBER[level], time: rfc3339(systemClock.wallMs()), ...fields, msg }),
  );

/** How many lines nobody took, as a line. */
export const lostLine = (lost: number): string =>
  `${lineOf('warn', 'lines of the log were lost: nobody took them', { lost })}\n`;

/** Lines of the same form as Core's: level, time, who, what. One line is one entry. */
export const jsonLog =
  (write: (line: string) => void, least: LogLevel, base: Readonly<Record<string, string>>): Log =>
  (level, msg, fields = {}) => {
    if (NUMBER[level] >= NUMBER[least]) write(lineOf(level, msg, { ...base, ...fields }));
  };
