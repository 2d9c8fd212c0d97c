import type { Refused } from './decider.js';

export type Verdict = { readonly kind: 'allowed' } | Refused;
export const allowed: Verdict = { kind: 'allowed' };

/** One rule with its name, so that a decider's rules can be read to an auditor as a list. */
export interface Policy<C, S> {
  readonly name: string;
  check(command: C, state: S): Verdict;
}

/** The first refusal in the order of the list, or null when every policy allows the command. */
export function firstRefusal<C, S>(
  policies: readonly Policy<C, S>[],
  command: C,
  state: S,
): Refused | null {
  for (const policy of policies) {
    const verdict = policy.check(command, state);
    if (verdict.kind === 'refused') return verdict;
  }
  return null;
}
