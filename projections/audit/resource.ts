import type { Recorded } from '@kcm/domain';
import { never, parseStream } from '@kcm/kernel';

/** What a command was about, as the path of the HTTP interface. */
export function resourceOf(event: Recorded): string {
  const { category, owner, id } = parseStream(event.stream);
  const tenant = `/v1/tenants/${owner}`;
  switch (category) {
    case 'tenant': {
      const service = 'service' in event.data ? `/services/${event.data.service}` : '';
      return tenant + service;
    }
    case 'access':
      return 'lock' in event.data ? `${tenant}/locks` : tenant;
    case 'rootkeys':
      return 'rootKeyId' in event.data ? `${tenant}/root-keys/${event.data.rootKeyId}` : tenant;
    case 'claim':
      return event.type === 'RootKeyClaimed'
        ? `/v1/tenants/${event.data.tenant}/root-keys/${event.data.rootKeyId}`
        : event.stream;
    case 'key':
      return `${tenant}/keys/${id}`;
    case 'revocation':
      return `${tenant}/revocations/${id}`;
    case 'edge':
      return `/v1/edges/${id}`;
    case 'region':
      return '/v1/sys';
    case 'calls':
    case 'refused':
      return event.stream;
    default:
      return never(category);
  }
}
