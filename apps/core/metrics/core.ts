import type { CallSeen } from '@kcm/custody';
import type { Metrics } from '@kcm/platform';
import type { EffectDeps } from '../effects/index.js';

/** What Core tells as it goes. Labels: names of drivers and of the KMIP standard. */
export function coreMetrics(metrics: Metrics): {
  readonly onCalled: (seen: CallSeen) => void;
  readonly onAnswered: (operation: string, reason: string | null) => void;
  readonly onTurnedAway: (why: string) => void;
  readonly onRotation: EffectDeps['onRotation'];
} {
  const call = metrics.histogram(
    'kcm_keystore_call_seconds',
    'Calls to the customers’ keystores by driver, operation and what was learnt.',
  );
  const answers = metrics.counter(
    'kcm_kmip_answers_total',
    'Items answered over KMIP by operation and result reason (Success: none).',
  );
  const turnedAway = metrics.counter(
    'kcm_kmip_connections_refused_total',
    'KMIP connections that were turned away, by why.',
  );
  const rotations = metrics.counter(
    'kcm_rotations_total',
    'Rotations of keys that ended, by why they were asked for and how.',
  );
  return {
    onCalled: ({ seconds, ...labels }) => call.record(seconds, labels),
    onAnswered: (operation, reason) => answers({ operation, reason: reason ?? 'Success' }),
    onTurnedAway: (why) => turnedAway({ why }),
    onRotation: (cause, outcome) => rotations({ cause: cause ?? 'command', outcome }),
  };
}
