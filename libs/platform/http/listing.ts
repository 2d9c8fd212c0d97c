import { LIMITS } from '@kcm/kernel';
import type { Page } from '@kcm/read-models';
import { z } from 'zod';

/** `?limit=&cursor=` of every list. */
export const paging = {
  limit: z.coerce.number().int().min(1).max(LIMITS.listItemsMax).default(LIMITS.listItemsDefault),
  cursor: z.string().min(1).max(1_024).optional(),
};
export const pagingQuery = z.strictObject(paging);
export type Paging = z.infer<typeof pagingQuery>;

/** Schema of a list's answer. */
export const listOf = (item: z.ZodType) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

/** The part of a ListQuery that the caller chose. */
export const pageOf = ({ limit, cursor }: Paging) =>
  cursor === undefined ? { limit } : { limit, cursor };

/** A list's answer: each document as the outside sees it. */
export async function listed<D, V>(
  page: Page<D>,
  view: (doc: D) => V | Promise<V>,
): Promise<{ readonly items: readonly V[]; readonly nextCursor: string | null }> {
  const items = await Promise.all(page.items.map(({ doc }) => view(doc)));
  return { items, nextCursor: page.next };
}
