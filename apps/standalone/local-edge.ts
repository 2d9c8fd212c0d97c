import type { CommandContext, Commands } from '@kcm/application';
import { generateCsr } from '@kcm/crypto';
import type { CoreView, OpenCustody } from '@kcm/custody';
import { type EdgeLogEntry, type RunningEdge, startEdge } from '@kcm/edge';
import { type Clock, LIMITS, type Random, streamOf } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';
import type { Logger } from 'pino';

/** The one Edge that lives in this process; it speaks KMIP to Core like any other. */
const EDGE = 'standalone';

export interface LocalEdgeDeps {
  readonly region: string;
  readonly services: readonly string[];
  readonly socketDir: string;
  readonly commands: () => Commands;
  readonly directory: BlobStore;
  readonly view: CoreView;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  context(act: string): CommandContext;
}

export class LocalEdge {
  #running: RunningEdge | null = null;

  constructor(private readonly deps: LocalEdgeDeps) {}

  get sockets(): Readonly<Record<string, string>> {
    return this.#running?.sockets ?? {};
  }

  /** Enrols with a key of this start, which is kept in memory only. Once running it stays. */
  async start(custody: OpenCustody, corePort: number): Promise<void> {
    if (this.#running !== null) return;
    const { region, services, socketDir, directory, view, clock, random, logger } = this.deps;
    const { csr, privateKey } = await generateCsr(EDGE);
    const issued = await custody.authority.issueFromCsr(
      { kind: 'edge', region, edge: EDGE },
      csr,
      LIMITS.certificateDaysDefault,
    );
    await directory.put(`certificate/${issued.sha256}`, Buffer.from(issued.certificate));
    const handled = await this.deps.commands().run(
      'edge',
      streamOf('edge', region, EDGE),
      {
        kind: 'EnrolEdge',
        services: [...services].sort(),
        certificateSha256: issued.sha256,
        notAfter: issued.notAfter,
      },
      this.deps.context('enrol the local edge'),
    );
    if (handled.position !== null) await view.reached(handled.position);
    this.#running = await startEdge({
      coreHost: '127.0.0.1',
      corePort,
      certificate: issued.certificate,
      privateKey: privateKey.use((pem) => pem.toString('utf8')),
      ca: issued.ca,
      edge: EDGE,
      region,
      services,
      socketDir,
      clock,
      random,
      log: ({ level, ...entry }: EdgeLogEntry) => logger[level](entry, 'edge'),
    });
    privateKey.dispose();
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = null;
  }
}
