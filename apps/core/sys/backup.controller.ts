import { Readable } from 'node:stream';
import { Controller, Inject, Req } from '@nestjs/common';
import { type CoreView, SealService } from '@kcm/custody';
import { type Clock, KcmError } from '@kcm/kernel';
import { Ledger } from '@kcm/ledger';
import { CLOCK, Endpoint, REGION, Reply } from '@kcm/platform';
import { type BlobStore, Directory, Vault } from '@kcm/vault';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type BackupDeps, backupChunks } from '../backup/backup.js';
import { CORE_VIEW } from './tokens.js';

const LINES = 'application/vnd.openkcm.backup';

/** A backup of ledger, vault and directory, taken while the region serves; never of erasure keys. */
@Controller()
export class BackupController {
  #running = false;

  constructor(
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(Vault) private readonly vault: BlobStore,
    @Inject(Directory) private readonly directory: BlobStore,
    @Inject(SealService) private readonly seals: SealService,
    @Inject(CORE_VIEW) private readonly view: CoreView,
    @Inject(REGION) private readonly region: string,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/sys/backup',
    summary:
      'A backup of ledger, vault and directory, without the erasure store: lines of JSON, the last ' +
      'one a signed checkpoint to keep apart',
    roles: ['platform-operator'],
    status: 200,
    answers: z.string(),
    produces: LINES,
    refuses: ['rate_limited', 'integrity'],
  })
  take(@Req() request: FastifyRequest, @Reply() reply: FastifyReply): Readable | string {
    if (this.#running)
      throw new KcmError('rate_limited', 'A backup is being taken already.', {
        retryAfterSeconds: 5,
      });
    void reply.type(LINES).header('Cache-Control', 'no-store');
    // A HEAD would read it to its end.
    if (request.method === 'HEAD') return '';
    this.#running = true;
    return Readable.from(backupChunks(this.deps())).on('close', () => (this.#running = false));
  }

  private deps(): BackupDeps {
    const { ledger, vault, directory, region, clock } = this;
    return {
      ledger,
      vault,
      directory,
      region,
      clock,
      sealedBy: () => {
        const state = this.view.region();
        return state.status === 'uninitialized' ? '' : state.config.setId;
      },
      sign: (head, extensions) => this.seals.custody().signCheckpoint(head, extensions),
    };
  }
}
