import type { CommandContext, Commands, ExecuteStep } from '@kcm/application';
import { commandIdOf, inSpan, type Tracer } from '@kcm/kernel';
import type { Effect, Step } from '@kcm/processes';
import type { CoreRuntime } from './core-runtime.js';
import type { Dispatch } from './effects/index.js';

/** Of each kind of effect: the compiler finds the one that is forgotten here. */
const EFFECTS: { readonly [K in Effect['kind']]: true } = {
  connectRootKey: true,
  probeRootKey: true,
  createL2: true,
  createL3: true,
  rotateL2: true,
  rotateL3: true,
  rewrapL3: true,
  destroyVersion: true,
  eraseVersion: true,
  recordExposures: true,
  compromiseHeld: true,
  closeCalls: true,
  shred: true,
  issueReceipt: true,
};
const isEffect = (step: Step): step is Effect => step.kind in EFFECTS;

/** A command that nobody sent over HTTP: no body, no fingerprint. */
export const dispatching =
  (commands: () => Commands): Dispatch =>
  ({ kind, stream, command }, context) => {
    const whole: CommandContext = { ...context, fingerprint: '' };
    return commands().run(kind, stream, command, whole);
  };

/** One step of a process manager: an effect of Core, or a command for a decider. */
export const executing =
  (core: () => Pick<CoreRuntime, 'run'>, dispatch: Dispatch, tracer: Tracer): ExecuteStep =>
  (step, { process, subject, item, cause }) => {
    const tenant = subject.split('/', 1)[0]!;
    const context = {
      actor: `process:${process}`,
      tenant,
      correlationId: cause.correlationId,
      causationId: cause.event,
      commandId: commandIdOf([process, subject, item, cause.event]),
    };
    // However much later, it belongs to what caused it.
    const about = { 'kcm.process': process, 'kcm.tenant': tenant };
    const started = tracer.start(nameOf(step), 'internal', cause.traceparent, about);
    return inSpan(started, async ({ traceparent }) => {
      const traced = { ...context, traceparent };
      if (isEffect(step)) await core().run(step, traced);
      else await dispatch(step, traced);
    });
  };

const nameOf = (step: Step): string =>
  isEffect(step) ? `effect ${step.kind}` : `step ${step.command.kind}`;
