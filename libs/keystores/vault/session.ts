import { meaningOf, type Meaning } from '../cause-table.js';
import { VAULT_CAUSES } from './causes.js';
import { isOwnRefusal, objectOf, type VaultClient, type VaultReply } from './client.js';

export type VaultCredentials =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'approle'; readonly roleId: string; readonly secretId: string };
export interface VaultCall {
  readonly callId: string;
  readonly traceparent?: string | undefined;
  readonly signal: AbortSignal;
}
export type Granted<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly meaning: Meaning };
type Send = (token: string) => Promise<VaultReply>;

/** Sends calls under the customer's credentials; an AppRole logs in by itself and again at need. */
export class VaultSession {
  readonly #client: VaultClient;
  readonly #credentials: VaultCredentials;
  #login: string | null = null;

  constructor(client: VaultClient, credentials: VaultCredentials) {
    this.#client = client;
    this.#credentials = credentials;
  }

  /**
   * The reply of `send`, whatever it is but a 403: that one is told apart into a dead token
   * (credential) and a withdrawn policy (denied).
   * @throws NoAnswer
   */
  async run(call: VaultCall, send: Send): Promise<Granted<VaultReply>> {
    if (this.#credentials.kind === 'token') {
      const { token } = this.#credentials;
      const reply = await send(token);
      return reply.status === 403 ? this.#whyForbidden(token, reply, call) : told(reply);
    }
    if (this.#login !== null) {
      const reply = await send(this.#login);
      if (reply.status !== 403) return told(reply);
      this.#login = null;
    }
    const login = await this.#loginBy(this.#credentials, call);
    if (!login.ok) return login;
    const reply = await send(login.value);
    if (reply.status !== 403) return told(reply);
    // The token is seconds old: what refuses is the policy.
    return isOwnRefusal(reply) ? meaning('policy withdrawn') : unlisted(reply);
  }

  /** Ends the login that this session made. Never throws. */
  async close(): Promise<void> {
    const token = this.#login;
    this.#login = null;
    if (token === null) return;
    const end = { method: 'POST', path: 'auth/token/revoke-self', token } as const;
    const signal = AbortSignal.timeout(1_000);
    await this.#client.request({ ...end, callId: 'close', signal }).catch(() => undefined);
  }

  async #whyForbidden(token: string, reply: VaultReply, call: VaultCall): Promise<Granted<never>> {
    if (!isOwnRefusal(reply)) return unlisted(reply);
    const self = await this.#client.request({
      method: 'GET',
      path: 'auth/token/lookup-self',
      token,
      ...call,
    });
    if (self.status === 200 && objectOf(self.body?.['data']) !== null)
      return meaning('policy withdrawn');
    return self.status === 403 && isOwnRefusal(self) ? meaning('token dead') : unlisted(self);
  }

  async #loginBy(
    { roleId, secretId }: VaultCredentials & { readonly kind: 'approle' },
    call: VaultCall,
  ): Promise<Granted<string>> {
    const reply = await this.#client.request({
      method: 'POST',
      path: 'auth/approle/login',
      json: { role_id: roleId, secret_id: secretId },
      token: null,
      ...call,
    });
    const token = objectOf(reply.body?.['auth'])?.['client_token'];
    if (reply.status === 200 && typeof token === 'string') {
      this.#login = token;
      return { ok: true, value: token };
    }
    const refused = [400, 401, 403, 404].includes(reply.status) && isOwnRefusal(reply);
    return refused ? meaning('login refused') : unlisted(reply);
  }
}

const told = (reply: VaultReply): Granted<VaultReply> => ({ ok: true, value: reply });
const meaning = (fact: string): Granted<never> => ({
  ok: false,
  meaning: meaningOf(VAULT_CAUSES, fact),
});
/** By its status alone, where that means one thing; else indeterminate. */
const unlisted = ({ status }: VaultReply): Granted<never> => meaning(String(status));
