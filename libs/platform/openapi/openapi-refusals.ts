import type { Code, Step } from '@kcm/kernel';
import type { Route } from '../http/access.js';
import { UNLIMITED } from '../auth/auth.guard.js';
import { problemStatusOf } from '../http/problem.js';

/** What a live call to a keystore may end in. */
export const KEYSTORE_REFUSALS: readonly Code[] = [
  'root_key_disabled',
  'root_key_not_found',
  'root_key_forbidden',
  'root_key_pending_deletion',
  'root_key_unreachable',
  'root_key_throttled',
  'root_key_in_use',
  'keystore_auth_failed',
  'keystore_wrong_algorithm',
  'keystore_address_refused',
];

/** Every code that a route may answer, its own and those of every route like it. */
export function refusalsOf(route: Route): readonly Code[] {
  const named = route.path.includes(':');
  const when = (is: boolean | undefined, ...codes: readonly Code[]) => (is === true ? codes : []);
  return [
    ...new Set([
      // Whatever is asked with: a query parameter that is none, a Kcm-Token that is not ours, more
      // header fields than are read.
      ...when(true, 'invalid_request', 'headers_too_large'),
      ...when(route.roles !== 'public', 'unauthenticated', 'forbidden'),
      ...when(named, 'not_found'),
      ...when(route.command, 'payload_too_large', 'unsupported_media_type'),
      ...when(route.command, 'idempotency_key_reused', 'revision_conflict'),
      ...when(!UNLIMITED.has(route.path), 'rate_limited'),
      ...when(route.ifMatch, 'precondition_failed'),
      ...(route.refuses ?? []),
      ...when(route.whileSealed !== true, 'sealed'),
      ...when(route.command, 'ledger_unavailable'),
      ...when(route.roles !== 'public' && route.command !== true, 'read_model_behind'),
    ]),
  ];
}

/** The step that a connect or a probe fails at makes a refusal of the key one of the request. */
const STEP: Step = 'state';

/** The responses of its refusals, by status. */
export function refusedResponses(route: Route): Record<string, object> {
  const steps = route.refuses?.some((code) => KEYSTORE_REFUSALS.includes(code)) === true;
  const byStatus = new Map<number, Code[]>();
  for (const code of refusalsOf(route)) {
    const step = steps && KEYSTORE_REFUSALS.includes(code) ? STEP : null;
    const status = problemStatusOf(code, step);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [String(status), problemNamed(codes)]),
  );
}

const problemNamed = (codes: readonly Code[]): object => ({
  description: codes.map((code) => `\`${code}\``).join(', '),
  'x-kcm-codes': codes,
  content: {
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  },
});

/** What else can happen, our own failure included. */
export const otherProblem: object = {
  description: 'Refused, or failed on our side (RFC 9457)',
  content: {
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  },
};
