import type { CommandId } from '@kcm/kernel';

/** Who asks for what, as every event of the command will say it. */
export interface CommandContext {
  readonly commandId: CommandId;
  /** HMAC (hex) over the canonical body; '' for Core's and the processes' own commands. */
  readonly fingerprint: string;
  readonly tenant: string | null;
  /** Opaque subject id, or core · keystore · process:{name}. */
  readonly actor: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent?: string | undefined;
  /** The revision the caller saw (If-Match). */
  readonly ifRevision?: number;
}
