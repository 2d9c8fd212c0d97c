import { join } from 'node:path';
import type { Recorded } from '@kcm/domain';
import {
  type Config,
  type Door,
  type Ground,
  type Late,
  openGround,
  type ProgramPart,
  type Program,
  startProgram,
  type Surroundings,
} from '@kcm/platform';
import { projections } from '@projections/all';
import { CmkPart, EventStreams } from '../cmk/index.js';
import { CORE_ENGINES, CorePart } from '../core/index.js';
import { ProjectorPart } from '../projector/index.js';
import { LocalEdge } from './local-edge.js';

/** The parts of the whole product, in one process. */
class Whole implements ProgramPart {
  readonly core: CorePart;
  readonly edge: LocalEdge;
  readonly modules: ProgramPart['modules'];
  readonly sealStatus: ProgramPart['sealStatus'];
  readonly ending: ProgramPart['ending'];
  readonly #projector: ProjectorPart;

  constructor(ground: Ground, door: Door, late: Late) {
    const core = new CorePart(
      ground,
      door,
      late,
      {
        unsealed: (port) => this.edge.start(port),
        sealed: () =>
          late.app().get(EventStreams, { strict: false }).endAll('the region is sealed'),
        endpoints: () => ({ edgeSockets: this.edge.sockets }),
      },
      projections,
    );
    const { drivers, recording } = core.parts;
    const projector = new ProjectorPart(ground, door);
    this.core = core;
    this.#projector = projector;
    this.edge = edgeOf(ground, door, late, core);
    const cmk = new CmkPart(door, drivers, recording);
    this.modules = [core, cmk, projector].flatMap(({ modules }) => modules);
    this.sealStatus = core.sealStatus;
    this.ending = {
      ...core.ending,
      doors: [() => this.edge.stop()],
      folds: [...projector.ending.folds, ...core.ending.folds],
    };
  }

  folds() {
    return [...this.core.folds(), ...this.#projector.folds()];
  }
  async begin(): Promise<void> {
    await this.core.begin();
    await this.#projector.begin();
  }
  watch(...about: Parameters<ProgramPart['watch']>): Promise<void> {
    return this.core.watch(...about);
  }
  run(): void {
    this.core.run();
  }
  serve(http: string): ReturnType<ProgramPart['serve']> {
    return this.core.serve(http);
  }
}

function edgeOf(ground: Ground, door: Door, late: Late, { parts }: CorePart): LocalEdge {
  const { config, engines, clock, random, tracing, logger } = ground;
  return new LocalEdge({
    region: door.region,
    services: config.KCM_EDGE_SERVICES,
    socketDir: join(door.dataDir, 'edge'),
    commands: late.commands,
    custody: () => parts.seals.custody(),
    directory: engines.directory,
    view: door.states,
    clock,
    random,
    tracer: tracing.tracer,
    logger,
    context: parts.own,
  });
}

/** The whole product in one process: its start, its unseal and its end. */
export class Standalone {
  constructor(
    private readonly ground: Ground,
    private readonly program: Program<Whole>,
  ) {}

  get dataDir(): string {
    return this.program.door.dataDir;
  }
  get http(): string {
    return this.program.http;
  }
  get seal(): Config['KCM_SEAL'] {
    return this.ground.config.KCM_SEAL;
  }
  get oidc(): boolean {
    return this.program.door.oidc !== null;
  }
  get initialized(): boolean {
    return this.program.part.core.initialized;
  }
  get edgeSockets(): Readonly<Record<string, string>> {
    return this.program.part.edge.sockets;
  }
  /** What is trial-grade about where the stores are. */
  get stores(): readonly string[] {
    return this.program.part.core.parts.erasureKeeper.trialGrade();
  }
  stop(): Promise<void> {
    return this.program.stop();
  }
}

/** @throws KcmError naming every wrong setting, or what could not be opened */
export async function startStandalone(
  env: NodeJS.ProcessEnv,
  surroundings: Surroundings = {},
): Promise<Standalone> {
  const ground = await openGround(env, 'standalone', [...CORE_ENGINES, 'outbox'], surroundings);
  let whole: Whole | null = null;
  const program = await startProgram(
    ground,
    {
      observe: (event) => whole!.core.parts.core.keys.observe(event as unknown as Recorded),
      // It answers nothing any more: nothing stays open that it would have to be asked about.
      onBroken: () => whole!.core.parts.core.sealed(),
    },
    (door, late) => (whole = new Whole(ground, door, late)),
  );
  return new Standalone(ground, program);
}
