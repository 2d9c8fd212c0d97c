import {
  item,
  KmipFailure,
  QueryFunction,
  ResultReason,
  type RequestOf,
  type ResponseOf,
} from '../codec/index.js';

/** In the range that the standard leaves to vendors (540000–54FFFF, KMIP 1.4 §9.1.3.1). */
const BOOT_TAG = 0x540001;

/**
 * What Core asks over a push connection to learn which boot is at its other end, and if it lives.
 */
export const PING: RequestOf<'Query'> = { functions: [QueryFunction.QueryServerInformation] };

/** The Edge's answer to {@link PING}. */
export const pong = (boot: string): ResponseOf<'Query'> => ({
  vendorIdentification: 'OpenKCM Edge',
  serverInformation: [item.textString(BOOT_TAG, boot)],
});

/** The boot in an answer to {@link PING}. @throws KmipFailure */
export function bootOfPong({ serverInformation }: ResponseOf<'Query'>): string {
  const boot = serverInformation?.find(({ tag }) => tag === BOOT_TAG);
  if (boot?.type !== 'textString' || !isBootId(boot.value))
    throw new KmipFailure(ResultReason.InvalidMessage, 'the answer names no boot');
  return boot.value;
}

/** An Edge chooses it at random at each start. */
export const isBootId = (text: string): boolean => /^[A-Za-z0-9-]{8,64}$/.test(text);
