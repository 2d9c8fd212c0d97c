import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Children } from '../child.js';
import type { CustomerKms, LoggedCall } from './customer-kms.js';

interface AuditLine {
  readonly callId: string | null;
  readonly operation: string;
}

/** The customer's little keystore (`kcm keystore serve`), a process of its own. For trials. */
export async function softwareKms(
  children: Children,
  name: string,
  folder: string,
): Promise<CustomerKms> {
  const args = ['--data', folder, '--port', '0'];
  const child = children.start(`the keystore of ${name}`, 'keystore', `kms-${name}`, { args });
  const url = await child.until('its address', () => addressIn(folder));
  const adminToken = readFileSync(join(folder, 'admin-token'), 'utf8').trim();
  const auditFile = join(folder, 'audit.jsonl');

  const administer = async (path: string, body: object = {}): Promise<{ token?: string }> => {
    const response = await fetch(`${url}/admin/keys${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as { token?: string; detail?: string };
    if (!response.ok) throw new Error(`the keystore of ${name} refused ${path}: ${answer.detail}`);
    return answer;
  };
  const { token = '' } = await administer('', { name });

  const connection = { keystore: 'software', reference: { url, key: name } };
  return {
    connection: { ...connection, credentials: { token } },
    noSuchKey: { ...connection, reference: { url, key: `${name}-2` }, credentials: { token } },
    wrongCredentials: { ...connection, credentials: { token: `${token.slice(0, -4)}AAAA` } },
    words: {
      takeAway: `kcm keystore disable ${name}`,
      giveBack: `kcm keystore enable ${name}`,
    },
    code: 'root_key_disabled',
    auditFile,
    takeAway: async () => void (await administer(`/${name}/disable`)),
    giveBack: async () => void (await administer(`/${name}/enable`)),
    calls: () =>
      readFileSync(auditFile, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => loggedCall(JSON.parse(line) as AuditLine)),
    stop: () => child.stop(),
  };
}

const loggedCall = ({ callId, operation }: AuditLine): LoggedCall => ({
  callId,
  operation: operation === 'wrap' || operation === 'unwrap' ? operation : 'other',
});

function addressIn(folder: string): string | null {
  try {
    const text = readFileSync(join(folder, 'endpoint.json'), 'utf8');
    return (JSON.parse(text) as { url: string }).url;
  } catch {
    return null;
  }
}
