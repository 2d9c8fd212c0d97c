import { SERVICE_ID, TENANT_ID } from '@kcm/kernel';

/**
 * Vocabulary between an Edge and Core. `y-…` are the server's custom attributes, `x-…` the client's
 * (KMIP 1.4 §3.39). Types: text unless said otherwise.
 */
export const KCM = {
  /** Long Integer. Compared as (term, epoch). */
  term: 'y-kcm-term',
  /** Long Integer. */
  epoch: 'y-kcm-epoch',
  /** Integer: the key's version. */
  version: 'y-kcm-version',
  /** {@link KcmAccess} */
  access: 'y-kcm-access',
  /** Of a compromised key: `allowed`, or that what it protects may only be moved off it. */
  processing: 'y-kcm-processing',
  /** `allowed`: data keys may be given out under the lease; anything else: none. */
  export: 'y-kcm-export',
  /** Id of the recorded lease or renewal that the answer belongs to. */
  grant: 'y-kcm-grant',
  /** Id of the root key call that the grant rests on. */
  call: 'y-kcm-call',
  /** The keystore's own request id; left out where it gives none. */
  providerRequest: 'y-kcm-provider-request',
  /** Integer: seconds that a data key may be kept; see also the three below. */
  cacheTtl: 'y-kcm-cache-ttl',
  /** Integer. */
  cacheMaxUses: 'y-kcm-cache-max-uses',
  /** Integer: seconds. */
  cacheMaxAge: 'y-kcm-cache-max-age',
  /** `on` or `off`. */
  cache: 'y-kcm-cache',
  /** On the KWK: names the boot that made it. */
  boot: 'x-kcm-boot-id',
  /** On the KWK: {@link AckStatement} as compact JWS. */
  ack: 'x-kcm-ack',
  /** On the KWK: {@link UsageStatement} as compact JWS. */
  usage: 'x-kcm-usage',
} as const;

export const KCM_ACCESS = ['open', 'readOnly', 'locked', 'killed'] as const;
export type KcmAccess = (typeof KCM_ACCESS)[number];
export const isKcmAccess = (value: string | null): value is KcmAccess =>
  value !== null && (KCM_ACCESS as readonly string[]).includes(value);

/** ALPN protocol of the connection on which the server is the requester. */
export const PUSH_PROTOCOL = 'kcm-push/1';
/** ALPN protocol of ordinary KMIP; a client that offers none gets it too. */
export const KMIP_PROTOCOL = 'kmip';

/** Attributes that stand inside the wrap of a leased key. */
export const WRAPPED_ATTRIBUTES = [
  'Unique Identifier',
  'Object Group',
  KCM.version,
  KCM.term,
  KCM.epoch,
] as const;
/** Attributes that a first lease asks for. */
export const LEASE_ATTRIBUTES = [
  'State',
  'Cryptographic Usage Mask',
  'Protect Stop Date',
  'Object Group',
  'Link',
  KCM.processing,
  KCM.version,
  KCM.term,
  KCM.epoch,
  KCM.access,
  KCM.export,
  KCM.grant,
  KCM.call,
  KCM.providerRequest,
  KCM.cache,
  KCM.cacheTtl,
  KCM.cacheMaxUses,
  KCM.cacheMaxAge,
] as const;
/** Attributes that a renewal asks for. */
export const RENEWAL_ATTRIBUTES = [
  'State',
  'Protect Stop Date',
  'Link',
  KCM.processing,
  KCM.term,
  KCM.epoch,
  KCM.access,
  KCM.export,
  KCM.grant,
  KCM.call,
  KCM.providerRequest,
] as const;

/** KMIP Name of the current service key of a tenant. */
export const serviceKeyName = (tenant: string, service: string): string =>
  `kcm/l3/${service}/${tenant}`;

/** The reverse of {@link serviceKeyName}, or null. */
export function parseServiceKeyName(name: string): { tenant: string; service: string } | null {
  const parts = name.split('/');
  const [product, level, service, tenant] = parts;
  if (parts.length !== 4 || product !== 'kcm' || level !== 'l3') return null;
  if (service === undefined || !SERVICE_ID.test(service)) return null;
  if (tenant === undefined || !TENANT_ID.test(tenant)) return null;
  return { tenant, service };
}
