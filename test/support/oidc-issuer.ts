import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';
import { Provider } from 'oidc-provider';

/** Whom the issuer knows: its clients, each with the claims of its tokens. */
export type People = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** PEM. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly privateKey: string;
}

const SECRET = 'the secret of a client in a test of its own';
const TOKEN_SECONDS = 600;

/** A real OpenID provider on loopback, whose signing key the test holds as well. */
export class OidcIssuer {
  #server: Server | null = null;
  #port = 0;
  #answers: RequestListener = (_request, response) => response.writeHead(503).end();
  #key!: CryptoKey;
  publicKey!: CryptoKey;
  #kid = 0;
  /** How often its keys were asked for. */
  keyReads = 0;

  private constructor(
    private readonly people: People,
    private readonly audience: string,
    private readonly tls: TlsIdentity | null,
  ) {}

  /** `tls`: over HTTPS, with this certificate. */
  static async start(
    people: People,
    { audience = 'openkcm', tls = null }: { audience?: string; tls?: TlsIdentity | null } = {},
  ): Promise<OidcIssuer> {
    const issuer = new OidcIssuer(people, audience, tls);
    await issuer.up();
    await issuer.rotate();
    return issuer;
  }

  get url(): string {
    return `${this.tls === null ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** A new signing key; the old one is not published any more. */
  async rotate(): Promise<void> {
    const pair = await generateKeyPair('RS256', { extractable: true });
    this.#key = pair.privateKey;
    this.publicKey = pair.publicKey;
    const kid = `key-${(this.#kid += 1)}`;
    const jwk = { ...(await exportJWK(pair.privateKey)), kid, alg: 'RS256', use: 'sig' };
    this.#answers = this.#provider([jwk]).callback();
  }

  async up(): Promise<void> {
    const answer: RequestListener = (request, response) => {
      if (request.url === '/jwks') this.keyReads += 1;
      this.#answers(request, response);
    };
    const { tls } = this;
    const server =
      tls === null
        ? createServer(answer)
        : createTlsServer({ cert: tls.certificate, key: tls.privateKey }, answer);
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Nobody answers on its port any more. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  /** What its token endpoint gives to one of its people (RFC 6749 §4.4). */
  async tokenOf(client: string): Promise<string> {
    const answer = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token: token } = (await answer.json()) as { access_token?: string };
    if (token === undefined) throw new Error(`no token for ${client}: ${answer.status}`);
    return token;
  }

  /** A token of this issuer with claims and header as the test wants them; `undefined`: left out. */
  sign(
    claims: Readonly<Record<string, unknown>>,
    nowMs: number,
    header: Partial<JWTHeaderParameters> = {},
    key: CryptoKey | Uint8Array = this.#key,
  ): Promise<string> {
    const seconds = Math.floor(nowMs / 1000);
    const times = { iat: seconds, exp: seconds + TOKEN_SECONDS };
    const payload = { iss: this.url, aud: this.audience, sub: 'anna', ...times, ...claims };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'RS256', kid: `key-${this.#kid}`, typ: 'at+jwt', ...header })
      .sign(key, { crit: { x: true } });
  }

  #provider(keys: readonly object[]): Provider {
    const { audience, people } = this;
    return new Provider(this.url, {
      jwks: { keys },
      // Nothing is stored: a token is a JWT, and the clients stand below.
      adapter: () => ({}),
      ttl: { ClientCredentials: TOKEN_SECONDS },
      clients: Object.keys(people).map((client) => ({
        client_id: client,
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      })),
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => 'urn:openkcm',
          getResourceServerInfo: () => ({
            audience,
            scope: '',
            accessTokenFormat: 'jwt',
            accessTokenTTL: TOKEN_SECONDS,
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
      extraTokenClaims: (_context: unknown, token: { clientId: string }) => people[token.clientId],
    });
  }
}
