import { base64Of, ownMemory } from '@kcm/kernel';
import type {
  Answer,
  Binding,
  CallContext,
  ResolvedKey,
  RootKey,
  WrappedSeed,
} from '../keystore.js';
import { meaningOf, NO_ANSWER, refused } from '../cause-table.js';
import { callSignal, type Exchange, type ExchangeAnswer, NoAnswer } from '../exchange.js';
import { SOFTWARE_CAUSES } from './causes.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SEED_BYTES = 32;

export interface SoftwareTarget {
  /** Base URL of the keystore, without a slash at its end. */
  readonly url: string;
  /** Name or id of the key. */
  readonly key: string;
  readonly token: string;
  /** `{keystore id}/{key id}` as recorded when the key was connected. */
  readonly pinned: string | null;
}
type Body = { readonly [field: string]: unknown };

/** A key of a customer's `software` keystore, over its HTTP interface (apps/keystore). */
export class SoftwareRootKey implements RootKey {
  readonly #target: SoftwareTarget;
  readonly #exchange: Exchange;

  constructor(target: SoftwareTarget, exchange: Exchange) {
    this.#target = target;
    this.#exchange = exchange;
  }

  resolve(call: CallContext): Promise<Answer<ResolvedKey>> {
    return this.#call('GET', '', undefined, call, (body, id) => {
      if (body['algorithm'] !== 'AES-256-GCM')
        return refused(meaningOf(SOFTWARE_CAUSES, '200 wrong_algorithm'), id);
      const resolved = resolvedOf(body);
      const keyVersion = versionOf(body);
      if (resolved === null || keyVersion === null) return refused(NO_ANSWER.malformed, id);
      return { ok: true, value: { resolved, keyVersion }, providerRequestId: id };
    });
  }

  wrap(seed: Uint8Array, binding: Binding, call: CallContext): Promise<Answer<WrappedSeed>> {
    const json = { plaintext: base64Of(seed), binding };
    return this.#call('POST', '/wrap', json, call, (body, id) => {
      const bytes = bytesOf(body['ciphertext']);
      const keyVersion = versionOf(body);
      if (bytes === null || keyVersion === null) return refused(NO_ANSWER.malformed, id);
      return { ok: true, value: { bytes, keyVersion }, providerRequestId: id };
    });
  }

  unwrap(wrapped: Uint8Array, binding: Binding, call: CallContext): Promise<Answer<Buffer>> {
    const json = { ciphertext: base64Of(wrapped), binding };
    return this.#call('POST', '/unwrap', json, call, (body, id) => {
      const seed = bytesOf(body['plaintext']);
      if (seed?.length !== SEED_BYTES) return refused(NO_ANSWER.malformed, id);
      return { ok: true, value: seed, providerRequestId: id };
    });
  }

  close(): Promise<void> {
    this.#exchange.close();
    return Promise.resolve();
  }

  async #call<T>(
    method: string,
    path: string,
    json: Body | undefined,
    call: CallContext,
    read: (body: Body, requestId: string | null) => Answer<T>,
  ): Promise<Answer<T>> {
    const { url, key, token, pinned } = this.#target;
    // Once connected, the key goes by its immutable id: a name may come to mean another key.
    const name = pinned?.split('/')[1] ?? key;
    try {
      const answer = await this.#exchange.send({
        method,
        url: new URL(`${url}/v1/keys/${encodeURIComponent(name)}${path}`),
        headers: {
          authorization: `Bearer ${token}`,
          'x-correlation-id': call.callId,
          ...(call.traceparent === undefined ? {} : { traceparent: call.traceparent }),
        },
        ...(json === undefined ? {} : { json }),
        signal: callSignal(call.signal),
      });
      return readAnswer(answer, read);
    } catch (error) {
      return refused(error instanceof NoAnswer ? NO_ANSWER[error.reason] : NO_ANSWER.malformed);
    }
  }
}

function readAnswer<T>(
  { status, headers, body }: ExchangeAnswer,
  read: (body: Body, requestId: string | null) => Answer<T>,
): Answer<T> {
  const header = headers['x-request-id'];
  const requestId = typeof header === 'string' && UUID.test(header) ? header : null;
  if (status === 200) return body === null ? refused(NO_ANSWER.malformed) : read(body, requestId);
  const error = typeof body?.['error'] === 'string' ? body['error'] : '';
  return refused(meaningOf(SOFTWARE_CAUSES, `${status} ${error}`), requestId);
}

function resolvedOf(body: Body): string | null {
  const { keystoreId, id } = body;
  if (typeof keystoreId !== 'string' || !UUID.test(keystoreId)) return null;
  return typeof id === 'string' && UUID.test(id) ? `${keystoreId}/${id}` : null;
}

function versionOf(body: Body): string | null {
  const version = body['version'];
  return Number.isSafeInteger(version) && Number(version) > 0 ? String(version) : null;
}

/** In memory of its own, or null for what is not canonical base64. */
function bytesOf(value: unknown): Buffer | null {
  if (typeof value !== 'string' || value.length === 0 || value.length % 4 !== 0) return null;
  const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
  const bytes = ownMemory((value.length / 4) * 3 - padding);
  bytes.write(value, 'base64');
  return bytes.toString('base64') === value ? bytes : null;
}
