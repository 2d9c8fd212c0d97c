import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { LIMITS } from '@kcm/kernel';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { isSafeSource } from './issuer-settings.js';

/** No usable keys came back. The message is ours; nothing of the answer is in it. */
export class IssuerUnusable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'IssuerUnusable';
  }
}
export interface IssuerSource {
  readonly issuer: string;
  /** PEM of the authority of its server's certificate; without it the usual ones. */
  readonly ca?: string | undefined;
}
/** The keys that an issuer publishes now. @throws IssuerUnusable */
export type ReadIssuer = (source: IssuerSource, signal: AbortSignal) => Promise<JSONWebKeySet>;

const METADATA = '/.well-known/openid-configuration';
const metadata = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });

/** OpenID Connect Discovery 1.0 §4, then RFC 7517 §5; both within LIMITS.oidcReadMsMax. */
export const readIssuer: ReadIssuer = async ({ issuer, ca }, signal) => {
  const within = AbortSignal.any([signal, AbortSignal.timeout(LIMITS.oidcReadMsMax)]);
  const found = metadata.safeParse(
    await readJson(issuer.replace(/\/$/, '') + METADATA, ca, within),
  );
  if (!found.success) throw new IssuerUnusable('its metadata lack issuer or jwks_uri');
  if (found.data.issuer !== issuer) throw new IssuerUnusable('its metadata name another issuer');
  const source = found.data.jwks_uri;
  // Plain HTTP is for an issuer that is on this machine itself.
  if (!isSafeSource(source) || (issuer.startsWith('https:') && !source.startsWith('https:'))) {
    throw new IssuerUnusable('its jwks_uri is not an https URL');
  }
  const keys = keySet.safeParse(await readJson(source, ca, within));
  if (!keys.success) throw new IssuerUnusable('what is at its jwks_uri is no key set');
  return keys.data;
};

async function readJson(
  url: string,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    const answer = await get(url, ca, signal);
    if (answer.statusCode !== 200) {
      answer.destroy();
      throw new IssuerUnusable(`${url} answers ${answer.statusCode}`);
    }
    return JSON.parse(await textOf(url, answer)) as unknown;
  } catch (error) {
    if (error instanceof IssuerUnusable) throw error;
    throw new IssuerUnusable(`${url}: ${why(error, signal)}`);
  }
}

/** No redirect is followed and no connection kept. */
function get(url: string, ca: string | undefined, signal: AbortSignal): Promise<IncomingMessage> {
  const headers = { accept: 'application/json, application/jwk-set+json' };
  const common = { headers, signal, agent: false, maxHeaderSize: 16 * 1024 };
  return new Promise((resolve, reject) => {
    const asked = url.startsWith('https:')
      ? https.get(url, { ...common, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) })
      : http.get(url, common);
    asked.on('response', resolve);
    asked.on('error', reject);
    // A switch of protocols ends a request with neither an answer nor an error.
    asked.on('close', () => reject(new Error('closed')));
  });
}

async function textOf(url: string, answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LIMITS.oidcAnswerBytesMax) throw new IssuerUnusable(`${url} answers too much`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function why(error: unknown, signal: AbortSignal): string {
  if (error instanceof SyntaxError) return 'no JSON';
  if (signal.aborted) return 'no answer in time';
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : 'no answer';
}
