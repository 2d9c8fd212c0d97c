import { EventStoreDBClient } from '@eventstore/db-client';
import { KcmError } from '@kcm/kernel';

const BEFORE_HOSTS = /^[^:]+:\/\/(?:[^:]+:[^@]+@)?/;
/** As the client compares them: lower case, no dash, no underscore. */
const OPTIONS: ReadonlySet<string> = new Set([
  'nodepreference',
  'connectionname',
  'tls',
  'tlscafile',
  'tlsverifycert',
  'usercertfile',
  'userkeyfile',
  'maxdiscoverattempts',
  'defaultdeadline',
  'discoveryinterval',
  'gossiptimeout',
  'keepaliveinterval',
  'keepalivetimeout',
  'throwonappendfailure',
]);

/**
 * A client that has reached nobody yet. What it would warn of is refused: the warning quotes the
 * whole string, with its password. @throws KcmError invalid_request, which quotes nothing
 */
export function clientOf(url: string): EventStoreDBClient {
  const query = url.replace(BEFORE_HOSTS, '').split('?').slice(1).join('&');
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', value] = pair.split('=');
    const option = name.trim().toLowerCase().replace(/[_-]/g, '');
    if (!OPTIONS.has(option)) throw invalid('has an option that its client does not know');
    if (option === 'tlsverifycert' && value?.trim() === 'false')
      throw invalid('asks for unverified certificates: name their authority by tlsCAFile');
  }
  try {
    return EventStoreDBClient.connectionString(url);
  } catch (error) {
    const file = error instanceof Error && error.message.includes('certificate file');
    throw invalid(file ? 'names a certificate file that is not there' : 'is none');
  }
}

const invalid = (detail: string): KcmError =>
  new KcmError('invalid_request', `The connection string of EventStoreDB ${detail}.`);
