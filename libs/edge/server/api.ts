import {
  correlationIdOf,
  type HealthReport,
  isSampled,
  KcmError,
  METRICS_TYPE,
  TENANT_ID,
  traceparentOf,
  uuidv4,
  type Random,
  type Span,
  type Tracer,
} from '@kcm/kernel';
import type { DataPlane, Outcome } from '../data-plane.js';
import { correlated, decrypted, encrypted, granted, itemError, ok, text } from './answers.js';
import type { HttpRequest, Malformed } from './http-reader.js';
import { OPENAPI_TEXT } from './openapi.js';
import { codeOf, malformed, problem, type Answer } from './problem.js';
import type { RefusalCounts } from '../refusal-counts.js';
import { batchOfBody, workOfBody } from './request-body.js';

export interface ApiParts {
  readonly plane: DataPlane;
  readonly random: Random;
  readonly tracer?: Tracer;
  readonly status: () => object;
  readonly health: () => HealthReport;
  readonly metrics: () => string;
  /** Of what never reached the data plane. */
  readonly refusals: RefusalCounts;
}
const TENANT_PATH = /^\/v1\/tenants\/([^/]+)\/(.+)$/;
const EXPORTS = ['data-keys', 'data-keys/unwrap', 'data-keys/rewrap'];

type Eventually<T> = T | Promise<T>;
type Act = (
  tenant: string,
  request: HttpRequest,
  id: string,
  traceparent: string | undefined,
) => Eventually<Answer>;

/** The routes of one service's socket: from a request to an answer. Never throws. */
export class EdgeApi {
  readonly #acts: ReadonlyMap<string, Act>;
  readonly #reads: ReadonlyMap<string, () => Answer>;

  constructor(private readonly parts: ApiParts) {
    this.#acts = new Map<string, Act>([
      ['encrypt', (tenant, request, id, trace) => this.#encrypt(tenant, request, id, trace)],
      ['decrypt', (tenant, request, id, trace) => this.#decrypt(tenant, request, id, trace)],
      ['encrypt-batch', (...asked) => this.#batch('plaintext', ...asked)],
      ['decrypt-batch', (...asked) => this.#batch('ciphertext', ...asked)],
      ...EXPORTS.map((name): [string, Act] => [name, refuseExport]),
    ]);
    this.#reads = new Map([
      ['/v1/status', () => ok(this.parts.status())],
      ['/livez', () => ok({ status: 'live' })],
      ['/readyz', () => this.#readyz()],
      ['/metrics', () => text(METRICS_TYPE, this.parts.metrics())],
      ['/openapi.json', () => text('application/json', OPENAPI_TEXT)],
    ]);
  }

  answer(request: HttpRequest): Eventually<Answer> {
    const id = this.correlationId(request.headers.get('x-correlation-id'));
    const span = this.parts.tracer?.on ? this.#traced(request) : null;
    if (span === null) return this.#answer(request, id);
    return later(this.#answer(request, id, span.traceparent), (answer) => {
      const tenant = TENANT_PATH.exec(request.target)?.[1];
      span.set({
        'http.response.status_code': answer.status,
        // Before it was served here it is only what the caller wrote.
        'kcm.tenant': tenant !== undefined && this.parts.plane.served(tenant) ? tenant : undefined,
        'kcm.code': answer.code,
      });
      span.end(answer.status >= 500 ? (answer.code ?? 'internal') : undefined);
      return answer;
    });
  }

  /**
   * Only a caller that records its own trace is told of in one: a span for each record would cost
   * more than the cipher.
   */
  #traced({ method, target, headers }: HttpRequest): Span | null {
    const parent = traceparentOf(headers.get('traceparent'));
    if (parent === undefined || !isSampled(parent)) return null;
    const verb = TENANT_PATH.exec(target)?.[2] ?? '';
    const route = this.#acts.has(verb) ? ` /v1/tenants/:tenant/${verb}` : '';
    return this.parts.tracer!.start(`${method}${route}`, 'server', parent, {
      'kcm.service': this.parts.plane.service,
    });
  }

  #answer(request: HttpRequest, id: string, traceparent?: string): Eventually<Answer> {
    try {
      const answered = this.#route(request, id, traceparent);
      if (!(answered instanceof Promise)) return correlated(answered, id);
      return answered.then(
        (answer) => correlated(answer, id),
        (error: unknown) => correlated(this.#refusal(error, id), id),
      );
    } catch (error) {
      return correlated(this.#refusal(error, id), id);
    }
  }

  /** To bytes that are no request. */
  refuseBytes(fault: Malformed): Answer {
    const id = this.correlationId(undefined);
    this.parts.refusals.add('none', codeOf(fault));
    return correlated(malformed(fault, id), id);
  }

  /** The caller's own where it can be one, else a new one. */
  correlationId(given: string | undefined): string {
    return correlationIdOf(given) ?? uuidv4(this.parts.random);
  }

  #route(request: HttpRequest, id: string, traceparent?: string): Eventually<Answer> {
    const { method, target } = request;
    if (target.includes('?')) throw invalidQuery();
    const read = this.#reads.get(target);
    if (read !== undefined) {
      if (method !== 'GET' && method !== 'HEAD') return this.#notAllowed('GET, HEAD', id);
      return read();
    }
    const path = TENANT_PATH.exec(target);
    const act = path === null ? undefined : this.#acts.get(path[2]!);
    if (act === undefined) throw new KcmError('not_found', 'There is no such route.');
    if (method !== 'POST') return this.#notAllowed('POST', id);
    const tenant = path![1]!;
    if (!TENANT_ID.test(tenant)) throw new KcmError('not_found', 'There is no such tenant here.');
    return act(tenant, request, id, traceparent);
  }

  #encrypt(
    tenant: string,
    request: HttpRequest,
    id: string,
    traceparent: string | undefined,
  ): Eventually<Answer> {
    const work = workOfBody(request, 'plaintext');
    return later(this.parts.plane.encrypt(tenant, work, traceparent), (outcome) => {
      work.bytes.fill(0);
      if (outcome instanceof KcmError) return problem(outcome, id);
      // Written out by hand: base64 and ids need no escaping.
      const body = `{"ciphertext":"${outcome.bytes.toString('base64')}","keyVersion":${outcome.keyVersion},"grantId":${JSON.stringify(outcome.grantId)}}`;
      return granted(body, outcome.grantId);
    });
  }

  #decrypt(
    tenant: string,
    request: HttpRequest,
    id: string,
    traceparent: string | undefined,
  ): Eventually<Answer> {
    const work = workOfBody(request, 'ciphertext');
    return later(this.parts.plane.decrypt(tenant, work, traceparent), (outcome) => {
      if (outcome instanceof KcmError) return problem(outcome, id);
      const body = `{"plaintext":"${outcome.bytes.toString('base64')}"}`;
      outcome.bytes.fill(0);
      return granted(body, outcome.grantId);
    });
  }

  async #batch(
    field: 'plaintext' | 'ciphertext',
    ...[tenant, request, id, traceparent]: Parameters<Act>
  ): Promise<Answer> {
    const encrypting = field === 'plaintext';
    const { plane } = this.parts;
    const items: unknown[] = [];
    let grantId: string | null = null;
    for (const work of batchOfBody(request, field)) {
      let outcome: Outcome | KcmError = work instanceof KcmError ? work : NOT_RUN;
      if (!(work instanceof KcmError)) {
        const running = encrypting
          ? plane.encrypt(tenant, work, traceparent)
          : plane.decrypt(tenant, work, traceparent);
        outcome = running instanceof Promise ? await running : running;
        if (encrypting) work.bytes.fill(0);
      }
      if (outcome instanceof KcmError) {
        // A tenant that is not served here is the answer to the whole request.
        if (outcome.code === 'not_found') return problem(outcome, id);
        items.push({ error: itemError(outcome) });
        continue;
      }
      grantId = outcome.grantId;
      items.push(encrypting ? encrypted(outcome) : decrypted(outcome));
    }
    return granted(JSON.stringify({ items }), grantId);
  }

  #readyz(): Answer {
    const report = this.parts.health();
    return ok(report, report.status === 'unavailable' ? 503 : 200);
  }

  #refusal(raised: unknown, id: string): Answer {
    const error =
      raised instanceof KcmError ? raised : new KcmError('internal', 'The Edge failed.');
    this.parts.refusals.add('none', error.code);
    return problem(error, id);
  }

  #notAllowed(allow: string, id: string): Answer {
    const answer = this.#refusal(new KcmError('method_not_allowed', `Use ${allow}.`), id);
    return { ...answer, headers: [...answer.headers, ['Allow', allow]] };
  }
}

const NOT_RUN = new KcmError('internal', 'The item was not run.');

const later = <A>(value: Eventually<A>, then: (value: A) => Answer): Eventually<Answer> =>
  value instanceof Promise ? value.then(then) : then(value);

const refuseExport: Act = () => {
  throw new KcmError(
    'export_not_allowed',
    'The tenant does not allow data keys to leave the Edge.',
  );
};

const invalidQuery = (): KcmError =>
  new KcmError('invalid_request', 'There are no query parameters here.');
