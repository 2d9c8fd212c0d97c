import type { CoreView, LeaseDesk } from '@kcm/custody';
import type { Random, Tracer } from '@kcm/kernel';
import type { AckStatement, UsageStatement } from '@kcm/kmip';
import type { RefusedConnection, ServerCredentials } from '@kcm/kmip/server';
import type { Signed } from './statements.js';

/** What Core's KMIP front stands on; everything that decides or records lies behind it. */
export interface KmipFrontParts {
  readonly region: string;
  readonly desk: LeaseDesk;
  readonly view: Pick<CoreView, 'edge' | 'tenant' | 'keys' | 'access'>;
  readonly credentials: ServerCredentials;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly wallMs: () => number;
  readonly random: Random;
  readonly tracer?: Tracer;
  /** Resolves once the ledger holds it; may come again. @throws KcmError: the Edge tries again */
  readonly onAcknowledgement: (
    acknowledgement: Signed<AckStatement>,
    traceparent?: string,
  ) => Promise<void>;
  /** As above; comes again with the same boot and seq when an answer was lost. */
  readonly onUsage: (usage: Signed<UsageStatement>) => Promise<void>;
  /** The same boot lives twice: a machine was cloned, both were refused. Must not throw. */
  readonly onCloned: (edge: string, boot: string) => void;
  /** A connection was turned away; `detail` holds no secret. Must not throw. */
  readonly onRefused: (why: RefusedConnection, detail: string) => void;
  /** Something other than a refusal was thrown. Must not throw. */
  readonly onError: (error: unknown, operation: string, correlationId: string) => void;
  /** Each item of an answer; as ResponderOptions says. Must not throw. */
  readonly onAnswered?: (operation: string, reason: string | null) => void;
}
