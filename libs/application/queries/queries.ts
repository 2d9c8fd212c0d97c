import { Inject, Injectable } from '@nestjs/common';
import { type IQueryHandler, Query, QueryBus, QueryHandler } from '@nestjs/cqrs';
import { KcmError, LIMITS } from '@kcm/kernel';
import {
  type DocKey,
  type ListQuery,
  type Page,
  ReadModelReader,
  type ReadToken,
} from '@kcm/read-models';

class GetDocument extends Query<unknown> {
  constructor(
    readonly name: string,
    readonly key: string,
    readonly token: ReadToken | null,
  ) {
    super();
  }
}
class ListDocuments extends Query<Page<unknown>> {
  constructor(
    readonly name: string,
    readonly query: ListQuery,
    readonly token: ReadToken | null,
  ) {
    super();
  }
}

const waited = (reader: ReadModelReader, name: string, token: ReadToken | null) =>
  token === null ? null : reader.waitFor(name, token, LIMITS.tokenWaitMsMax);

@QueryHandler(GetDocument)
@Injectable()
class GetDocumentHandler implements IQueryHandler<GetDocument> {
  constructor(@Inject(ReadModelReader) private readonly reader: ReadModelReader) {}

  async execute({ name, key, token }: GetDocument): Promise<unknown> {
    await waited(this.reader, name, token);
    return (await this.reader.get(name, key as DocKey))?.doc ?? null;
  }
}

@QueryHandler(ListDocuments)
@Injectable()
class ListDocumentsHandler implements IQueryHandler<ListDocuments> {
  constructor(@Inject(ReadModelReader) private readonly reader: ReadModelReader) {}

  async execute({ name, query, token }: ListDocuments): Promise<Page<unknown>> {
    await waited(this.reader, name, token);
    return this.reader.list(name, query);
  }
}

export const QUERY_HANDLERS = [GetDocumentHandler, ListDocumentsHandler];

/** Typed door to the QueryBus. A token makes a query wait until its read model has got there. */
@Injectable()
export class Queries {
  constructor(@Inject(QueryBus) private readonly bus: QueryBus) {}

  /** @throws read_model_behind · invalid_request (a token of another ledger) */
  async get<D>(name: string, key: string, token: ReadToken | null = null): Promise<D | null> {
    return (await this.bus.execute(new GetDocument(name, key, token))) as D | null;
  }

  /** As `get`, and absence is a refusal. @throws not_found */
  async one<D>(name: string, key: string, token: ReadToken | null = null): Promise<D> {
    const found = await this.get<D>(name, key, token);
    if (found === null) throw new KcmError('not_found', 'There is no such resource.');
    return found;
  }

  async list<D>(name: string, query: ListQuery, token: ReadToken | null = null): Promise<Page<D>> {
    return (await this.bus.execute(new ListDocuments(name, query, token))) as Page<D>;
  }
}
