import type { Secret } from '@kcm/crypto';
import type { Tracer } from '@kcm/kernel';
import {
  attribute,
  Attributes,
  KCM,
  KMIP_1_4,
  KmipFailure,
  plainAesKey,
  pong,
  ResultReason,
  RevocationReasonCode,
  State,
  UsageMask,
  type Attribute,
  type ResponseOf,
} from '@kcm/kmip';
import { KmipClient, PushListener, type KmipClientOptions } from '@kcm/kmip/client';

export type OnNotify = (
  uid: string,
  attributes: readonly Attribute[],
  traceparent: string | undefined,
) => boolean;
export interface SessionParts {
  readonly connection: KmipClientOptions;
  readonly boot: string;
  readonly kwk: Secret;
  readonly wallMs: () => number;
  readonly newCorrelationId: () => string;
  readonly tracer: Tracer;
  /**
   * Has dropped what it must when it returns: the answer says so. False: not about a key of ours.
   */
  readonly onNotify: OnNotify;
  /** Core lets this Edge in no more: has dropped everything when it returns. */
  readonly onRevoked: () => void;
  readonly onError: (error: unknown, what: string) => void;
}

/**
 * One pair of connections to Core with this boot's key-wrapping key registered (leases.md steps
 * 0–2,
 * 11). It ends as a whole: when one connection is lost the other is closed, so that Core, asked to
 * register the same boot again, finds no live push connection and takes it for what it is.
 */
export class KmipSession {
  private constructor(
    readonly client: KmipClient,
    private readonly push: PushListener,
    /** Unique identifier of the key-wrapping key. */
    readonly kwkUid: string,
    /** Resolves when the session is over. */
    readonly ended: Promise<void>,
  ) {}

  /** @throws KmipUnavailable · KmipFailure when Core refuses this Edge */
  static async open(parts: SessionParts): Promise<KmipSession> {
    const client = await KmipClient.connect(parts.connection);
    try {
      const { versions } = await client.call('DiscoverVersions', { versions: [KMIP_1_4] });
      if (!versions.some(({ major, minor }) => major === 1 && minor === 4))
        throw new KmipFailure(ResultReason.InvalidMessage, 'Core does not speak KMIP 1.4');
      const kwkUid = await register(client, parts);
      const push = await listen(parts, kwkUid);
      const ended = Promise.race([client.closed, push.closed]).then(async () => {
        await Promise.all([client.close(), push.close()]);
      });
      return new KmipSession(client, push, kwkUid, ended);
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** Core forgets the key-wrapping key; best effort, since Core keeps it in memory only. */
  async stop(): Promise<void> {
    const target = { uniqueIdentifier: this.kwkUid };
    try {
      const reason = { code: RevocationReasonCode.CessationOfOperation };
      await this.client.batch([
        { operation: 'Revoke', payload: { ...target, reason } },
        { operation: 'Destroy', payload: target },
      ]);
    } catch {
      // Core is gone, and with it the key.
    }
    await this.end();
  }

  async end(): Promise<void> {
    await Promise.all([this.client.close(), this.push.close()]);
    await this.ended;
  }
}

async function register(client: KmipClient, { kwk, boot }: SessionParts): Promise<string> {
  const { uniqueIdentifier } = await kwk.use((material) =>
    client.call('Register', {
      attributes: [
        attribute.integer('Cryptographic Usage Mask', UsageMask.WrapKey),
        // No KMIP date is ever compared with a clock of ours.
        attribute.date('Activation Date', 0),
        attribute.text(KCM.boot, boot),
      ],
      object: plainAesKey(material),
    }),
  );
  return uniqueIdentifier;
}

const listen = (parts: SessionParts, kwkUid: string): Promise<PushListener> =>
  PushListener.connect({
    ...parts.connection,
    wallMs: parts.wallMs,
    newCorrelationId: parts.newCorrelationId,
    tracer: parts.tracer,
    onError: parts.onError,
    handlers: {
      Query: () => pong(parts.boot),
      Notify: ({ uniqueIdentifier, attributes }, { traceparent }) => {
        if (uniqueIdentifier === kwkUid) return ended(parts, attributes);
        if (!parts.onNotify(uniqueIdentifier, attributes, traceparent))
          throw new KmipFailure(ResultReason.ItemNotFound, 'not a key of this product');
        return {};
      },
    },
  });

/** A notice about the boot's own key: that Core has ended it, or nothing that is known here. */
function ended(
  { onRevoked }: SessionParts,
  attributes: readonly Attribute[],
): ResponseOf<'Notify'> {
  if (new Attributes(attributes).number('State') !== State.Deactivated)
    throw new KmipFailure(ResultReason.InvalidField, 'nothing but its end is known of this key');
  onRevoked();
  return {};
}
