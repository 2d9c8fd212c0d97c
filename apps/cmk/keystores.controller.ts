import { Controller, Inject } from '@nestjs/common';
import type { DriverRegistry } from '@kcm/keystores';
import { Endpoint, ROLES } from '@kcm/platform';
import { z } from 'zod';
import { DRIVERS } from './ports.js';

const field = z.object({
  name: z.string(),
  required: z.boolean(),
  secret: z.boolean(),
  description: z.string(),
});
const keystoreView = z.object({
  name: z.string(),
  trialOnly: z.boolean(),
  fields: z.array(field),
  abilities: z.object({ aad: z.boolean(), requestIds: z.boolean() }),
});

@Controller()
export class KeystoresController {
  constructor(@Inject(DRIVERS) private readonly drivers: DriverRegistry) {}

  @Endpoint({
    method: 'GET',
    path: 'v1/keystores',
    summary: 'The keystores that can hold a root key: fields of a reference, abilities',
    roles: ROLES,
    status: 200,
    answers: z.object({ items: z.array(keystoreView), nextCursor: z.null() }),
  })
  async list() {
    const drivers = await this.drivers.all();
    const items = drivers.map(({ name, trialOnly, fields, abilities }) => ({
      name,
      trialOnly,
      fields,
      abilities,
    }));
    return { items, nextCursor: null };
  }
}
