import { Controller, Inject, Param } from '@nestjs/common';
import type { ProjectionRunner } from '@kcm/application';
import { KcmError } from '@kcm/kernel';
import { Endpoint } from '@kcm/platform';
import { ReadModelReader } from '@kcm/read-models';
import { z } from 'zod';

export const RUNNER = Symbol('ProjectionRunner');

const digest = z.object({
  name: z.string(),
  version: z.number().int(),
  position: z.string().nullable(),
  documents: z.number().int(),
  digest: z.string(),
});

/** The projector runs inside standalone: read models by version, position and digest. */
@Controller()
export class ProjectionsController {
  constructor(
    @Inject(RUNNER) private readonly runner: ProjectionRunner,
    @Inject(ReadModelReader) private readonly reader: ReadModelReader,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/sys/projections',
    summary: 'The read models: version, position, digest',
    roles: ['platform-operator', 'platform-auditor'],
    status: 200,
    answers: z.object({ items: z.array(digest), nextCursor: z.null() }),
  })
  async list() {
    const items = [];
    for (const name of this.runner.names()) items.push(await this.digestOf(name));
    return { items, nextCursor: null };
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/projections/:name/rebuild',
    summary: 'Rebuild a read model from the first event beside the live one, compare, and switch',
    roles: ['platform-operator'],
    body: z.strictObject({}),
    status: 200,
    answers: z.object({ before: digest, after: digest, equal: z.boolean() }),
    command: true,
  })
  async rebuild(@Param('name') name: string) {
    if (!this.runner.names().includes(name)) {
      throw new KcmError('not_found', 'There is no such read model.');
    }
    const before = await this.digestOf(name);
    await this.runner.rebuild(name);
    const after = await this.digestOf(name);
    return { before, after, equal: before.digest === after.digest };
  }

  private async digestOf(name: string) {
    const found = await this.reader.digest(name);
    if (found === null) return { name, version: 0, position: null, documents: 0, digest: '' };
    return { name, ...found };
  }
}
