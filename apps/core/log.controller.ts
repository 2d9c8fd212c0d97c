import { Controller, Inject, Param } from '@nestjs/common';
import { type LogHead, OriginLogReader } from '@kcm/application';
import { SealService } from '@kcm/custody';
import { type Clock, type EventId, KcmError } from '@kcm/kernel';
import { LogStore } from '@kcm/origin-log';
import {
  CLOCK,
  Endpoint,
  type Principal,
  QueryInput,
  REGION,
  Reply,
  REST,
  ROLES,
  Token,
  Who,
} from '@kcm/platform';
import type { ReadToken } from '@kcm/read-models';
import { originOf, parseTilePath, TILE_HASHES } from '@kcm/transparency';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';

const NOTE = 'text/plain';
const TILE = 'application/octet-stream';
/** A full tile never changes; its reader showed a token, so that no shared cache keeps it. */
const FOR_EVER = 'private, max-age=31536000, immutable';
const size = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const sizes = z.strictObject({ from: size, to: size });
const asked = z.strictObject({ event: z.string().regex(/^[A-Za-z0-9_-]{1,80}$/) });
const hash = z.string().describe('SHA-256, base64');
const proofView = z.object({
  log: z.string(),
  event: z.string(),
  index: z.int(),
  leaf: hash,
  path: z.array(hash),
  checkpoint: z.string().describe('The signed checkpoint that the proof leads to'),
});
const consistencyView = z.object({
  log: z.string(),
  from: z.int(),
  to: z.int(),
  path: z.array(hash),
});

/**
 * The transparency log of the region. Whoever has a role may read checkpoints and consistency:
 * these are hashes. Which leaf an event is at is told to who may know of the event.
 */
@Controller()
export class LogController {
  private readonly log: OriginLogReader;

  constructor(
    @Inject(LogStore) store: LogStore,
    @Inject(SealService) private readonly seals: SealService,
    @Inject(REGION) private readonly region: string,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.log = new OriginLogReader(store, clock);
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/log/:region/checkpoint',
    summary: 'The signed checkpoint of now: a C2SP note by the key of trust.json',
    roles: ROLES,
    status: 200,
    answers: z.string(),
    produces: NOTE,
    refuses: ['integrity'],
  })
  async checkpoint(
    @Param('region') region: string,
    @Token() token: ReadToken | null,
    @Reply() reply: FastifyReply,
  ): Promise<string> {
    this.assertOurs(region);
    const note = this.signed(await this.log.head(token));
    void reply.type(`${NOTE}; charset=utf-8`);
    return note;
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/log/:region/proof',
    summary: 'That an event is in the log: its leaf, the path to the root, the checkpoint',
    roles: ROLES,
    query: asked,
    status: 200,
    answers: proofView,
    refuses: ['integrity'],
  })
  async proof(
    @Param('region') region: string,
    @QueryInput() { event }: z.infer<typeof asked>,
    @Token() token: ReadToken | null,
    @Who() who: Principal,
  ) {
    this.assertOurs(region);
    const found = await this.log.inclusion(event as EventId, token);
    if (found === null || (who.tenant !== null && found.entry.tenant !== who.tenant))
      throw notFound();
    const { entry, leaf, path, head } = found;
    return {
      log: originOf(this.region, head.ledger),
      event,
      index: entry.seq,
      leaf: leaf.toString('base64'),
      path: path.map((each) => each.toString('base64')),
      checkpoint: this.signed(head),
    };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/log/:region/consistency',
    summary: 'That the log of `from` leaves is the beginning of that of `to`',
    roles: ROLES,
    query: sizes,
    status: 200,
    answers: consistencyView,
    refuses: ['integrity'],
  })
  async consistency(
    @Param('region') region: string,
    @QueryInput() { from, to }: z.infer<typeof sizes>,
    @Token() token: ReadToken | null,
  ) {
    this.assertOurs(region);
    const { ledger, path } = await this.log.consistency(from, to, token);
    const hashes = path.map((each) => each.toString('base64'));
    return { log: originOf(this.region, ledger), from, to, path: hashes };
  }

  @Endpoint({
    method: 'GET',
    path: 'v1/log/:region/tile/:rest',
    summary: 'A tile of the tree (C2SP tlog-tiles): up to 256 hashes of one level, 32 bytes each',
    roles: ROLES,
    status: 200,
    answers: z.string().meta({ format: 'binary' }),
    produces: TILE,
    refuses: ['integrity'],
  })
  async tile(
    @Param('region') region: string,
    @Param(REST) rest: string,
    @Token() token: ReadToken | null,
    @Reply() reply: FastifyReply,
  ): Promise<Buffer> {
    this.assertOurs(region);
    const tile = parseTilePath(`tile/${rest}`);
    const hashes = tile === null ? null : await this.log.tile(tile, token);
    if (tile === null || hashes === null) throw notFound();
    void reply.type(TILE);
    if (tile.width === TILE_HASHES) void reply.header('Cache-Control', FOR_EVER);
    return hashes;
  }

  private signed(head: LogHead): string {
    return this.seals.custody().signCheckpoint(head);
  }
  private assertOurs(region: string): void {
    if (region !== this.region) throw notFound();
  }
}

const notFound = () => new KcmError('not_found', 'There is no such resource.');
