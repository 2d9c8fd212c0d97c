import { jest } from '@jest/globals';
import {
  type Api,
  BOUND_MS,
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  type Sample,
  Stage,
  type Tenant,
  until,
  Workload,
} from '../support/index.js';

jest.setTimeout(60_000);

/** What answers while sealed, and with which status when asked without a body. */
const ANSWERING: Readonly<Record<string, number>> = {
  'GET /livez': 200,
  'GET /readyz': 503,
  'GET /metrics': 200,
  'GET /openapi.json': 200,
  'GET /v1/sys/status': 200,
  'POST /v1/sys/init': 400,
  'POST /v1/sys/unseal': 400,
};
interface Status {
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly provided: number;
}
type Shares = readonly string[];

describe('A region sealed by shares', () => {
  const stage = new Stage();
  const region = new Region(stage, { seal: 'shamir' });
  let shares: Shares;
  let foreign: Shares;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let acme: Tenant;
  let sample: Sample;

  const init = async (of: Region): Promise<Shares> => {
    const body = { shares: 3, threshold: 2 };
    return (await of.operator.command<{ shares: Shares }>('/v1/sys/init', body)).shares;
  };
  const status = () => region.as(null).read<Status>('/v1/sys/status');
  const provide = (share: string) => region.operator.post<Status>('/v1/sys/unseal', { share });
  const unseal = async (...of: readonly string[]): Promise<void> => {
    for (const share of of) expect(await provide(share)).toMatchObject({ code: null });
    await region.serving();
  };

  beforeAll(async () => {
    const other = new Region(stage, { seal: 'shamir', region: 'elsewhere', folder: 'other' });
    [keystore] = await Promise.all([Keystore.start(stage), region.start(), other.start()]);
    foreign = await init(other);
    await other.stop();
  });
  afterAll(() => stage.close());

  /** Every route of its own description, by somebody who may everything and by nobody. */
  const sealedRoutes = async (): Promise<void> => {
    const description = await region
      .as(null)
      .read<{ paths: Record<string, object> }>('/openapi.json');
    const routes = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const extra = Object.keys(ANSWERING).filter((route) => !routes.includes(route));
    const ask = async (who: Api, route: string): Promise<string> => {
      const [method = '', path = ''] = route.split(' ');
      const url = path.replaceAll(/\{\w+\}/g, 'acme');
      const { status: at, code } = await who.call(method, url, method === 'GET' ? undefined : {});
      return `${route} ${at} ${at === 503 && path !== '/readyz' ? code : ''}`.trim();
    };
    for (const who of [region.operator, region.as(null)]) {
      const answers = await Promise.all([...routes, ...extra].map((route) => ask(who, route)));
      const refused = answers.filter((answer) => answer.endsWith(' 503 sealed'));
      const others = answers.filter((answer) => !answer.endsWith(' 503 sealed'));
      expect(refused.length).toBe(routes.length + extra.length - Object.keys(ANSWERING).length);
      const nobody = who !== region.operator && others.some((answer) => answer.endsWith(' 401'));
      const expected = Object.entries(ANSWERING).map(([route, at]) =>
        nobody && at === 400 ? `${route} 401` : `${route} ${at}`,
      );
      expect(others.sort()).toEqual(expected.sort());
    }
    expect(region.kmip).toBeNull();
  };

  it('starts with every door shut but those that open it', async () => {
    expect(await status()).toMatchObject({ initialized: false, sealed: true });
    await sealedRoutes();
    shares = await init(region);
    expect(shares).toHaveLength(3);
    expect(await status()).toMatchObject({ initialized: true, sealed: true, provided: 0 });
    await sealedRoutes();
    const again = await region.operator.post('/v1/sys/init', { shares: 3, threshold: 2 });
    expect(again).toMatchObject({ status: 409, code: 'wrong_state' });
  });

  it('refuses a share of another region, a damaged one and one given twice, each by name', async () => {
    const detailOf = async (share: string): Promise<string> => {
      const { code, body } = await provide(share);
      expect(code).toBe('share_refused');
      return (body as unknown as { detail: string }).detail;
    };
    expect(await detailOf(foreign[0]!)).toMatch(/region/);
    const [share = ''] = shares;
    const last = share.at(-1) === 'a' ? 'b' : 'a';
    const damaged = await detailOf(share.slice(0, -1) + last);
    expect(await status()).toMatchObject({ sealed: true, provided: 0 });
    expect(await provide(share)).toMatchObject({ body: { sealed: true, provided: 1 } });
    const twice = await detailOf(share);
    expect(await status()).toMatchObject({ sealed: true, provided: 1 });
    expect(new Set([await detailOf(foreign[1]!), damaged, twice]).size).toBe(3);
  });

  it('stays shut with one share less than it takes', async () => {
    expect(await status()).toMatchObject({ sealed: true, provided: 1 });
    await sealedRoutes();
  });

  it('opens with the last share, and serves', async () => {
    await unseal(shares[1]!);
    expect(await status()).toMatchObject({ sealed: false });
    edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing']);
    acme = await onboard(region, keystore, 'acme');
    sample = await edge.client('billing').sample('acme', 'a record of acme');
    expect(await edge.client('billing').opens(sample)).toBe(true);
  });

  it('sealed in operation: shut at once, nobody is told, leases end by themselves', async () => {
    const workload = new Workload(stage, edge.client('billing'), sample);
    await workload.untilServed(5_000);
    await region.operator.command('/v1/sys/seal');
    const sealedAt = Date.now();
    await sealedRoutes();
    await workload.untilServed(2_000);
    await workload.untilRefused(2 * BOUND_MS);
    await workload.stop();
    expect(workload.lastServedAt).toBeLessThanOrEqual(sealedAt + BOUND_MS);
    expect(workload.codes).toEqual(['lease_expired', 'lease_expired']);
    expect(workload.encrypts.status).toBe(503);
  });

  const servesTheSame = async (): Promise<void> => {
    const client = edge.client('billing');
    await until('the record from before', 20_000, async () =>
      (await client.opens(sample)) === true ? true : null,
    );
    const { access } = await acme.auditor.read<{ access: object }>(acme.path);
    expect(access).toEqual({ open: true, locks: [] });
    expect(await acme.auditor.list(`${acme.path}/revocations`)).toEqual([]);
  };

  it('two other shares open it again, with everything as it was', async () => {
    await unseal(shares[2]!, shares[0]!);
    await servesTheSame();
  });

  it('a restart starts sealed; the unseal serves the same data', async () => {
    await region.stop();
    await region.start();
    expect(await status()).toMatchObject({ initialized: true, sealed: true, provided: 0 });
    await sealedRoutes();
    await unseal(shares[1]!, shares[2]!);
    await servesTheSame();
  });
});
