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
/** The keys that an issuer publishes now. @throws IssuerUnusable */
export type ReadIssuer = (issuer: string, signal: AbortSignal) => Promise<JSONWebKeySet>;

const METADATA = '/.well-known/openid-configuration';
const metadata = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });

/** OpenID Connect Discovery 1.0 §4, then RFC 7517 §5; both within LIMITS.oidcReadMsMax. */
export const readIssuer: ReadIssuer = async (issuer, signal) => {
  const within = AbortSignal.any([signal, AbortSignal.timeout(LIMITS.oidcReadMsMax)]);
  const found = metadata.safeParse(await readJson(issuer.replace(/\/$/, '') + METADATA, within));
  if (!found.success) throw new IssuerUnusable('its metadata lack issuer or jwks_uri');
  if (found.data.issuer !== issuer) throw new IssuerUnusable('its metadata name another issuer');
  const source = found.data.jwks_uri;
  // Plain HTTP is for an issuer that is on this machine itself.
  if (!isSafeSource(source) || (issuer.startsWith('https:') && !source.startsWith('https:'))) {
    throw new IssuerUnusable('its jwks_uri is not an https URL');
  }
  const keys = keySet.safeParse(await readJson(source, within));
  if (!keys.success) throw new IssuerUnusable('what is at its jwks_uri is no key set');
  return keys.data;
};

async function readJson(url: string, signal: AbortSignal): Promise<unknown> {
  try {
    const headers = { accept: 'application/json, application/jwk-set+json' };
    const answer = await fetch(url, { headers, signal, redirect: 'manual' });
    if (answer.status !== 200) {
      await answer.body?.cancel();
      throw new IssuerUnusable(`${url} answers ${answer.status}`);
    }
    return JSON.parse(await textOf(url, answer)) as unknown;
  } catch (error) {
    throw error instanceof IssuerUnusable ? error : new IssuerUnusable(`${url}: ${why(error)}`);
  }
}

async function textOf(url: string, answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > LIMITS.oidcAnswerBytesMax) throw new IssuerUnusable(`${url} answers too much`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function why(error: unknown): string {
  if (error instanceof SyntaxError) return 'no JSON';
  const { name, cause } = error as Error;
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (typeof code === 'string') return code;
  return name === 'TimeoutError' ? 'no answer in time' : 'no answer';
}
