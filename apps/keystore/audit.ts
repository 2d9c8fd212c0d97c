import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Binding } from './cipher.js';

export interface AuditEntry {
  /** RFC 3339 UTC. */
  readonly time: string;
  readonly requestId: string;
  /** The caller's X-Correlation-Id, or null. */
  readonly callId: string | null;
  /** The trace that the caller named in `traceparent` (W3C Trace Context), or null. */
  readonly traceId: string | null;
  /** `token {label} {id}`, `admin` or `unknown`. */
  readonly identity: string;
  readonly operation: string;
  /** As asked for. */
  readonly key: string | null;
  readonly keyId: string | null;
  readonly binding: Binding | null;
  /** `ok` or the refusal's code. */
  readonly outcome: string;
}

/** `audit.jsonl` (0600): one JSON line a request, on disk before the request is answered. */
export class Audit {
  private constructor(private readonly file: FileHandle) {}

  static async open(folder: string): Promise<Audit> {
    return new Audit(await open(join(folder, 'audit.jsonl'), 'a', 0o600));
  }

  async write(entry: AuditEntry): Promise<void> {
    await this.file.appendFile(`${JSON.stringify(entry)}\n`);
    await this.file.datasync();
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
