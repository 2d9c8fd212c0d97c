import { canonicalJson, type Json, type RecordedEvent, Sha256 } from '@kcm/kernel';

/**
 * A ledger as text, UTF-8, each line ended by a line feed: what it is and whose; each event as JCS
 * in the order of the ledger, without its position, which means nothing in another ledger; how many
 * they are, with SHA-256 over all the lines before.
 */
export type Exported = Omit<RecordedEvent, 'position'>;
export interface ExportHeader {
  readonly format: typeof EXPORT_FORMAT;
  readonly ledger: string;
}
export interface ExportEnd {
  readonly events: number;
  readonly sha256: string;
}
export const EXPORT_FORMAT = 'kcm-ledger/1';
/** JCS, ended by a line feed. */
export const jsonLine = (value: unknown): string => `${canonicalJson(value as Json)}\n`;
export const eventLine = (event: Exported): string => {
  const { id, type, schemaVersion, stream, revision, data, meta } = event;
  return jsonLine({ id, type, schemaVersion, stream, revision, data, meta } satisfies Exported);
};

/** Makes the lines of an export, and keeps what its last one says of the others. */
export class ExportLines {
  readonly #digest = new Sha256();
  #events = 0;

  get events(): number {
    return this.#events;
  }
  header(ledger: string): string {
    return this.#told(jsonLine({ format: EXPORT_FORMAT, ledger } satisfies ExportHeader));
  }
  event(event: RecordedEvent): string {
    this.#events += 1;
    return this.#told(eventLine(event));
  }
  end(): string {
    return jsonLine({ events: this.#events, sha256: this.#digest.hex() } satisfies ExportEnd);
  }

  #told(text: string): string {
    this.#digest.update(text);
    return text;
  }
}
