import { join } from 'node:path';
import { processes } from '@kcm/processes';
import { openSqliteReadModels } from '@kcm/read-models/sqlite';

interface ProcessDoc {
  readonly due: readonly { readonly id: string; readonly dueAt?: string }[];
}

/** What stands on the processes' lists of a stopped server and is due. */
export async function standingItems(dataDir: string): Promise<readonly string[]> {
  const store = await openSqliteReadModels({ file: join(dataDir, 'read-models.db') });
  const found: string[] = [];
  try {
    for (const { name } of processes) {
      const query = { where: { open: true }, limit: 200 };
      const page = await store.list<ProcessDoc>(`process-${name}`, query);
      for (const { key, doc } of page.items)
        found.push(...doc.due.filter(isDue).map(({ id }) => `${name} ${key} ${id}`));
    }
  } finally {
    await store.close();
  }
  return found;
}

const isDue = ({ dueAt }: ProcessDoc['due'][number]): boolean =>
  dueAt === undefined || Date.parse(dueAt) <= Date.now();
