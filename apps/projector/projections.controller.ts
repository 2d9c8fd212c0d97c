import { Controller, Inject, Param } from '@nestjs/common';
import type { ProjectionRunner } from '@kcm/application';
import { Endpoint } from '@kcm/platform';
import { ReadModelReader } from '@kcm/read-models';
import { z } from 'zod';

export const RUNNER = Symbol('ProjectionRunner');

const live = z.object({
  name: z.string(),
  version: z.number().int(),
  position: z.string().nullable(),
  state: z.string(),
  detail: z.string().nullable(),
  documents: z.number().int(),
  digest: z.string(),
});
const rebuilt = z.object({
  name: z.string(),
  version: z.number().int(),
  position: z.string().nullable(),
  documents: z.number().int(),
  digest: z.string(),
  equal: z.boolean().nullable(),
});

/** The read models by version, position and digest, and how one is rebuilt. */
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
    answers: z.object({ items: z.array(live), nextCursor: z.null() }),
  })
  async list() {
    const items = [];
    for (const { name, version, state, detail, position } of this.runner.health()) {
      const found = await this.reader.digest(name);
      const { documents = 0, digest = '' } = found ?? {};
      const at = found?.position ?? position;
      items.push({ name, version, position: at, state, detail, documents, digest });
    }
    return { items, nextCursor: null };
  }

  @Endpoint({
    method: 'POST',
    path: 'v1/sys/projections/:name/rebuild',
    summary: 'Rebuild a read model from the first event beside the live one, compare, and switch',
    roles: ['platform-operator'],
    body: z.strictObject({}),
    status: 200,
    answers: rebuilt,
    command: true,
    refuses: ['wrong_state'],
  })
  async rebuild(@Param('name') name: string) {
    return { name, ...(await this.runner.rebuild(name)) };
  }
}
