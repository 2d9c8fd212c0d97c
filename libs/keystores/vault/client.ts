import NodeVault from 'node-vault';
import { type Exchange, NoAnswer } from '../exchange.js';

export interface VaultReply {
  readonly status: number;
  /** The JSON object that came, or null. */
  readonly body: { readonly [field: string]: unknown } | null;
}
export interface VaultRequest {
  readonly method: 'GET' | 'POST';
  /** Without `/v1/`. */
  readonly path: string;
  readonly json?: { readonly [field: string]: unknown };
  /** null: an unauthenticated call. */
  readonly token: string | null;
  readonly callId: string;
  readonly traceparent?: string | undefined;
  readonly signal: AbortSignal;
  /** Send without a namespace: sys/seal-status answers only at the root. */
  readonly atRoot?: boolean;
}

/** What node-vault hands to the transport under it. */
interface TransportOptions {
  readonly method: string;
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly signal: AbortSignal;
}

/**
 * node-vault over our own exchange: its axios would follow the proxies of the environment and
 * resolve the name again, past the egress guard. The VAULT_* variables of the environment are
 * another user's settings and are kept out; its debug log, which prints request bodies, is off.
 */
export class VaultClient {
  readonly #client: NodeVault.client;

  constructor(
    address: string,
    private readonly namespace: string | null,
    private readonly exchange: Exchange,
  ) {
    this.#client = NodeVault({
      endpoint: address,
      debug: () => undefined,
      'request-promise': { defaults: () => (options: TransportOptions) => this.#carry(options) },
    });
    Object.assign(this.#client, { pathPrefix: '', namespace: '', token: '' });
  }

  /** @throws NoAnswer, nothing else */
  async request(request: VaultRequest): Promise<VaultReply> {
    const headers: Record<string, string> = { 'X-Correlation-Id': request.callId };
    if (request.traceparent !== undefined) headers['traceparent'] = request.traceparent;
    if (request.token !== null) headers['X-Vault-Token'] = request.token;
    if (this.namespace !== null && request.atRoot !== true)
      headers['X-Vault-Namespace'] = this.namespace;
    try {
      const body: unknown = await this.#client.request({
        method: request.method,
        path: `/${request.path}`,
        headers,
        signal: request.signal,
        ...(request.json === undefined ? {} : { json: request.json }),
      });
      return { status: 200, body: objectOf(body) };
    } catch (error) {
      const refused = replyOf(error);
      if (refused !== null) return refused;
      throw error instanceof NoAnswer ? error : new NoAnswer('malformed');
    }
  }

  close(): void {
    this.exchange.close();
  }

  async #carry(options: TransportOptions): Promise<{
    statusCode: number;
    body: unknown;
    request: { path: string };
  }> {
    const url = new URL(options.uri);
    const { status, body } = await this.exchange.send({
      method: options.method,
      url,
      headers: options.headers,
      signal: options.signal,
      ...(typeof options.json === 'object' ? { json: options.json } : {}),
    });
    return { statusCode: status, body, request: { path: url.pathname } };
  }
}

/** node-vault throws on every status but 200 and 204, with the answer on the error. */
function replyOf(error: unknown): VaultReply | null {
  if (!(error instanceof Error) || !('response' in error)) return null;
  const { response } = error;
  if (response === null || typeof response !== 'object' || !('statusCode' in response)) return null;
  const { statusCode } = response;
  if (typeof statusCode !== 'number') return null;
  return { status: statusCode, body: 'body' in response ? objectOf(response.body) : null };
}

/** The value if it is a JSON object, else null. */
export const objectOf = (value: unknown): VaultReply['body'] =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as { readonly [field: string]: unknown })
    : null;

/** Whether a refusal was written by the server itself and not by something in front of it. */
export const isOwnRefusal = ({ body }: VaultReply): boolean => Array.isArray(body?.['errors']);

export const requestIdOf = ({ body }: VaultReply): string | null => {
  const id = body?.['request_id'];
  return typeof id === 'string' && /^[0-9a-f-]{36}$/.test(id) ? id : null;
};
