import { Inject, Injectable, Optional, type Type } from '@nestjs/common';
import { CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  type CommandOf,
  type DecidedCategory,
  type Decider,
  decidersByCategory,
  type DomainEvent,
  type EventOf,
  type StateOf,
} from '@kcm/domain';
import { inSpan, KeyedTurns, noTracer, type StreamId, type Tracer } from '@kcm/kernel';
import type { CommandContext } from './command-context.js';
import { type DeciderDeps, type Guard, type Handled, runDecider, stateOf } from './run-decider.js';

export const DECIDER_DEPS = Symbol('DeciderDeps');
export const TRACER = Symbol('Tracer');

/** One command for one stream. */
class StreamCommand {
  constructor(
    readonly stream: StreamId,
    readonly command: unknown,
    readonly context: CommandContext,
    readonly guard?: Guard,
  ) {}
}
type CommandClass = new (...args: ConstructorParameters<typeof StreamCommand>) => StreamCommand;

interface Registration {
  readonly commandClass: CommandClass;
  readonly handler: Type<ICommandHandler<StreamCommand>>;
}

/** The generic handler of a decider, registered on the bus for that decider's command class. */
function register(kind: string, decider: Decider<never, unknown, DomainEvent>): Registration {
  const commandClass = { [kind]: class extends StreamCommand {} }[kind] as CommandClass;

  @CommandHandler(commandClass)
  @Injectable()
  class DeciderHandler implements ICommandHandler<StreamCommand> {
    constructor(@Inject(DECIDER_DEPS) private readonly deps: DeciderDeps) {}

    execute({ stream, command, context, guard }: StreamCommand): Promise<Handled> {
      return runDecider(this.deps, decider, stream, command as never, context, guard);
    }
  }
  return { commandClass, handler: DeciderHandler };
}

const registered = new Map<string, Registration>(
  Object.entries(decidersByCategory).map(([kind, decider]) => [
    kind,
    register(kind, decider as unknown as Decider<never, unknown, DomainEvent>),
  ]),
);

/** Exactly one handler a decider; the map above makes a second one impossible. */
export const COMMAND_HANDLERS = [...registered.values()].map((row) => row.handler);

/**
 * Typed door to the CommandBus. Commands for one stream are decided one after the other: only
 * another process can take a revision away, so that no number of callers wears the retries out.
 */
@Injectable()
export class Commands {
  readonly #turns = new KeyedTurns();

  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(DECIDER_DEPS) private readonly deps: DeciderDeps,
    @Optional() @Inject(TRACER) private readonly tracer: Tracer = noTracer,
  ) {}

  /** The state of a stream as the ledger has it now, for the guard of a command on another one. */
  async state<K extends DecidedCategory>(kind: K, stream: StreamId): Promise<StateOf<K>> {
    // The map gives each category its own decider, which the type of a union forgets.
    const decider = decidersByCategory[kind] as unknown as Decider<never, StateOf<K>, EventOf<K>>;
    return stateOf(this.deps, decider, stream);
  }

  /** @throws as runDecider, which also says what a guard is */
  run<K extends DecidedCategory>(
    kind: K,
    stream: StreamId,
    command: CommandOf<K>,
    context: CommandContext,
    guard?: Guard,
  ): Promise<Handled<EventOf<K>>> {
    const { commandClass } = registered.get(kind)!;
    const { kind: verb } = command as { readonly kind: string };
    const name = `command ${kind}.${verb}`;
    const about = { 'kcm.stream.category': kind, 'kcm.tenant': context.tenant ?? undefined };
    const started = this.tracer.start(name, 'internal', context.traceparent, about);
    return inSpan(started, async (span) => {
      const traced = { ...context, traceparent: span.traceparent };
      const handled = await this.#turns.take(stream, (): Promise<Handled<EventOf<K>>> =>
        this.bus.execute(new commandClass(stream, command, traced, guard)),
      );
      span.set({ 'kcm.events': handled.events.length, 'kcm.replayed': handled.replayed });
      return handled;
    });
  }
}
