import type { CommandContext, Commands } from '@kcm/application';
import { generateCsr } from '@kcm/crypto';
import type { CoreView, OpenCustody } from '@kcm/custody';
import { type EdgeCertificate, type EdgeLogEntry, type RunningEdge, startEdge } from '@kcm/edge';
import {
  type Clock,
  LIMITS,
  type Random,
  streamOf,
  systemScheduler,
  type Tracer,
} from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';
import type { Logger } from 'pino';
import { CertificateRenewal } from '../core/index.js';

/** The one Edge that lives in this process; it speaks KMIP to Core like any other. */
const EDGE = 'standalone';

export interface LocalEdgeDeps {
  readonly region: string;
  readonly services: readonly string[];
  readonly socketDir: string;
  readonly commands: () => Commands;
  /** @throws KcmError sealed */
  readonly custody: () => OpenCustody;
  readonly directory: BlobStore;
  readonly view: CoreView;
  readonly clock: Clock;
  readonly random: Random;
  readonly tracer: Tracer;
  readonly logger: Logger;
  context(act: string): CommandContext;
}

export class LocalEdge {
  #running: RunningEdge | null = null;
  #renewal: CertificateRenewal | null = null;

  constructor(private readonly deps: LocalEdgeDeps) {}

  get sockets(): Readonly<Record<string, string>> {
    return this.#running?.sockets ?? {};
  }

  /** Enrols with a key of this start, which is kept in memory only. Once running it stays. */
  async start(corePort: number): Promise<void> {
    if (this.#running !== null) return;
    const { region, services, socketDir, clock, random, tracer, logger } = this.deps;
    const { notAfter, ...certificate } = await this.#enrol();
    this.#running = await startEdge({
      ...certificate,
      coreHost: '127.0.0.1',
      corePort,
      edge: EDGE,
      region,
      services,
      socketDir,
      clock,
      random,
      tracer,
      log: ({ level, ...entry }: EdgeLogEntry) => logger[level](entry, 'edge'),
    });
    this.#renewal = new CertificateRenewal(
      {
        clock,
        scheduler: systemScheduler,
        renew: async () => {
          const next = await this.#enrol();
          this.#running?.renew(next);
          return next.notAfter;
        },
        onFailed: (error) => logger.error({ err: error }, 'the edge certificate was not renewed'),
      },
      notAfter,
    );
  }

  async stop(): Promise<void> {
    this.#renewal?.stop();
    await this.#running?.stop();
    this.#running = null;
  }

  /** @throws KcmError sealed · the ledger's trouble */
  async #enrol(): Promise<EdgeCertificate & { readonly ca: string; readonly notAfter: string }> {
    const { region, services, directory, view } = this.deps;
    const { csr, privateKey } = await generateCsr(EDGE);
    const { authority } = this.deps.custody();
    const identity = { kind: 'edge', region, edge: EDGE } as const;
    const days = LIMITS.certificateDaysDefault;
    const { sha256, certificate, ca, notAfter } = await authority.issueFromCsr(identity, csr, days);
    await directory.put(`certificate/${sha256}`, Buffer.from(certificate));
    const handled = await this.deps.commands().run(
      'edge',
      streamOf('edge', region, EDGE),
      {
        kind: 'EnrolEdge',
        services: [...services].sort(),
        certificateSha256: sha256,
        notAfter,
      },
      this.deps.context(`enrol the local edge ${sha256}`),
    );
    if (handled.position !== null) await view.reached(handled.position);
    const pem = privateKey.use((bytes) => bytes.toString('utf8'));
    privateKey.dispose();
    return { certificate, privateKey: pem, ca, notAfter };
  }
}
