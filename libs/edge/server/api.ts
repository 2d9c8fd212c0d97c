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
import type { DataPlane } from '../data-plane.js';
import type { Done, Work } from '../work.js';
import {
  correlated,
  dataKeyMade,
  dataKeyRewrapped,
  dataKeyUnwrapped,
  decrypted,
  encrypted,
  granted,
  itemError,
  ok,
  text,
} from './answers.js';
import type { HttpRequest, Malformed } from './http-reader.js';
import { OPENAPI_TEXT } from './openapi.js';
import { codeOf, malformed, problem, type Answer } from './problem.js';
import type { RefusalCounts } from '../refusal-counts.js';
import { batchOfBody, contextOfBody, workOfBody, type BodyForm } from './request-body.js';

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
const PLAIN: BodyForm = { field: 'plaintext' };
const SEALED: BodyForm = { field: 'ciphertext' };
const OPENED: BodyForm = { field: 'ciphertext', rewraps: true };

type Eventually<T> = T | Promise<T>;
type Act = (
  tenant: string,
  request: HttpRequest,
  id: string,
  traceparent: string | undefined,
) => Eventually<Answer>;
type Run<D> = (tenant: string, work: Work, trace?: string) => Eventually<D | KcmError>;
type Shown<D> = (done: D) => object;

/** The routes of one service's socket: from a request to an answer. Never throws. */
export class EdgeApi {
  readonly #acts: ReadonlyMap<string, Act>;
  readonly #reads: ReadonlyMap<string, () => Answer>;

  constructor(private readonly parts: ApiParts) {
    const { plane } = parts;
    const encrypt: Run<Done> = (...asked) => plane.encrypt(...asked);
    const decrypt: Run<Done> = (...asked) => plane.decrypt(...asked);
    const rewrap: Run<Done> = (...asked) => plane.rewrap(...asked);
    this.#acts = new Map<string, Act>([
      ['encrypt', (...asked) => this.#encrypt(...asked)],
      ['decrypt', (...asked) => this.#decrypt(...asked)],
      ['rewrap', one(SEALED, rewrap, encrypted)],
      ['encrypt-batch', batch(PLAIN, encrypt, encrypted)],
      ['decrypt-batch', batch(OPENED, decrypt, decrypted)],
      ['rewrap-batch', batch(SEALED, rewrap, encrypted)],
      ['data-keys', (...asked) => this.#dataKey(...asked)],
      [
        'data-keys/unwrap',
        one(
          { field: 'wrapped', rewraps: true },
          (...asked) => plane.unwrap(...asked),
          dataKeyUnwrapped,
        ),
      ],
      [
        'data-keys/rewrap',
        one({ field: 'wrapped' }, (...asked) => plane.rewrapDataKey(...asked), dataKeyRewrapped),
      ],
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

  #encrypt(...[tenant, request, id, traceparent]: Parameters<Act>): Eventually<Answer> {
    const work = workOfBody(request, PLAIN);
    return later(this.parts.plane.encrypt(tenant, work, traceparent), (outcome) => {
      work.bytes.fill(0);
      if (outcome instanceof KcmError) return problem(outcome, id);
      // Written out by hand: base64 and ids need no escaping.
      const body = `{"ciphertext":"${outcome.bytes.toString('base64')}","keyVersion":${outcome.keyVersion},"grantId":${JSON.stringify(outcome.grantId)}}`;
      return granted(body, outcome.grantId);
    });
  }

  #decrypt(...[tenant, request, id, traceparent]: Parameters<Act>): Eventually<Answer> {
    const work = workOfBody(request, OPENED);
    return later(this.parts.plane.decrypt(tenant, work, traceparent), (outcome) => {
      if (outcome instanceof KcmError) return problem(outcome, id);
      if (outcome.stale) return shownOf(outcome, decrypted);
      const body = `{"plaintext":"${outcome.bytes.toString('base64')}"}`;
      outcome.bytes.fill(0);
      return granted(body, outcome.grantId);
    });
  }

  #dataKey(...[tenant, request, id, traceparent]: Parameters<Act>): Eventually<Answer> {
    const context = contextOfBody(request);
    return later(this.parts.plane.dataKey(tenant, context, traceparent), (outcome) =>
      outcome instanceof KcmError ? problem(outcome, id) : shownOf(outcome, dataKeyMade),
    );
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

const later = <A>(value: Eventually<A>, then: (value: A) => Answer): Eventually<Answer> =>
  value instanceof Promise ? value.then(then) : then(value);

const shownOf = <D extends Done>(done: D, shown: Shown<D>): Answer =>
  granted(JSON.stringify(shown(done)), done.grantId);

const one =
  <D extends Done>(form: BodyForm, run: Run<D>, shown: Shown<D>): Act =>
  (tenant, request, id, traceparent) =>
    later(run(tenant, workOfBody(request, form), traceparent), (outcome) =>
      outcome instanceof KcmError ? problem(outcome, id) : shownOf(outcome, shown),
    );

const batch =
  (form: BodyForm, run: Run<Done>, shown: Shown<Done>): Act =>
  async (tenant, request, id, traceparent) => {
    const items: unknown[] = [];
    let grantId: string | null = null;
    for (const work of batchOfBody(request, form)) {
      const running = work instanceof KcmError ? work : run(tenant, work, traceparent);
      const outcome = running instanceof Promise ? await running : running;
      if (form === PLAIN && !(work instanceof KcmError)) work.bytes.fill(0);
      if (outcome instanceof KcmError) {
        // A tenant that is not served here is the answer to the whole request.
        if (outcome.code === 'not_found') return problem(outcome, id);
        items.push({ error: itemError(outcome) });
        continue;
      }
      grantId = outcome.grantId;
      items.push(shown(outcome));
    }
    return granted(JSON.stringify({ items }), grantId);
  };

const invalidQuery = (): KcmError =>
  new KcmError('invalid_request', 'There are no query parameters here.');
