import { UsageError } from './failures.js';

/** `name=value` pairs. @throws UsageError */
export function pairs(list: readonly string[] | undefined): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const pair of list ?? []) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`${pair} is not of the form name=value.`);
    out[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return out;
}
