import type { KeyCommand } from '@kcm/domain';
import { streamOf } from '@kcm/kernel';
import type { EffectDeps, EffectTrace } from './context.js';
import { derived } from './derived-context.js';

/**
 * A command for a key's decider; resolves when the view knows what it recorded. `of` is what differs
 * between two attempts.
 */
export async function recordKey(
  deps: EffectDeps,
  { tenant, key }: { readonly tenant: string; readonly key: string },
  command: KeyCommand,
  trace: EffectTrace,
  of: string,
): Promise<void> {
  const { position } = await deps.dispatch(
    { kind: 'key', stream: streamOf('key', tenant, key), command },
    derived(trace, tenant, command.kind, of),
  );
  if (position !== null) await deps.view.reached(position);
}
