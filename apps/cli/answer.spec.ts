import { jest } from '@jest/globals';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { edgeFindings } from './doctor/edge.js';
import { kcmProgram } from './kcm-program.js';
import { explain } from './program.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const STREAM = { 'content-type': 'text/event-stream' };
const json = (status: number, body: string) => (response: ServerResponse) =>
  void response.writeHead(status, JSON_TYPE).end(body);
const stream = (body: string) => (response: ServerResponse) =>
  void response.writeHead(200, STREAM).end(body);

const LIST = 'tenant list';
const KILL = 'revocation create --tenant a --kind kill --reason x';
const TAIL = 'events tail --tenant a';

/** Whoever answers there, and what kcm says of it. */
describe('What is no answer of ours', () => {
  let folder: string;
  let open: Server[];
  let printed: string;
  let said: string;
  const environment = { ...process.env };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-answer-'));
    [open, printed, said] = [[], '', ''];
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += text), true));
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => ((said += text), true));
  });
  afterEach(() => {
    jest.restoreAllMocks();
    for (const server of open) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(folder, { recursive: true });
    process.env = { ...environment };
    process.exitCode = undefined;
  });

  async function serve(listener: RequestListener, at: string | number = 0): Promise<string> {
    const server = createServer(listener);
    open.push(server);
    await new Promise<void>((resolve) => server.listen(at, resolve));
    return typeof at === 'string'
      ? at
      : `http://localhost:${(server.address() as AddressInfo).port}`;
  }
  /** @returns the exit code of kcm, called in this process */
  async function kcm(words: string, url: string): Promise<number> {
    Object.assign(process.env, { KCM_URL: url, KCM_TOKEN: 't', KCM_DATA_DIR: folder });
    try {
      await kcmProgram().parseAsync(['node', 'kcm', ...words.split(' ')]);
      return Number(process.exitCode ?? 0);
    } catch (error) {
      return explain(error);
    }
  }

  it.each<[string, string, (response: ServerResponse) => void, RegExp]>([
    ['null', LIST, json(200, 'null'), /not what was asked for/],
    ['no JSON', LIST, json(200, '{{{'), /no JSON/],
    ['no list', LIST, json(200, '{"items":3}'), /no list/],
    ['a list that repeats itself', LIST, json(200, '{"items":[],"nextCursor":"x"}'), /get on/],
    ['a failure of another', LIST, json(500, '<html>'), /answers 500/],
    ['a refusal that says nothing', LIST, json(500, 'null'), /answers 500/],
    ['a refusal without fields', LIST, json(400, '{"code":1,"detail":{}}'), /answers 400/],
    [
      'a page',
      LIST,
      (r) => void r.writeHead(200, { 'content-type': 'text/html' }).end('x'),
      /text/,
    ],
    ['nothing', KILL, json(200, '{}'), /not what was asked for/],
    ['a change that is null', KILL, json(200, 'null'), /not what was asked for/],
    ['half of a revocation', `${KILL} --wait`, json(200, '{"id":"r"}'), /cannot be used/],
    ['no stream', TAIL, json(200, '{"items":[]}'), /no text\/event-stream/],
    ['a stream that ends at once', TAIL, stream(''), /ends at once/],
    ['a stream of something else', TAIL, stream('data: {bad\n\n'), /no JSON/],
  ])('%s ends with 1, by name, and prints no result', async (_, words, answer, told) => {
    const url = await serve((_request, response) => answer(response));
    expect(await kcm(words, url)).toBe(1);
    expect(said).toMatch(told);
    expect(said).toContain('[unexpected]');
    expect(said).toContain('Is it an OpenKCM');
    expect(said.includes('--idempotency-key')).toBe(words === KILL);
    expect(printed).toBe('');
  });

  it('of a proxy before nobody ends with 3', async () => {
    const url = await serve((_request, response) => void response.writeHead(502).end('<html>'));
    expect(await kcm(LIST, url)).toBe(3);
    expect(said).toContain('Something before the server answers 502');
  });

  it('that sends elsewhere is not followed: nobody else gets what was sent', async () => {
    let elsewhere = 0;
    const other = await serve((_request, response) => {
      elsewhere += 1;
      response.end('{}');
    });
    const url = await serve((request, response) => {
      response.writeHead(307, { location: `${other}${request.url}` }).end();
    });
    for (const words of [KILL, LIST, TAIL]) expect(await kcm(words, url)).toBe(1);
    expect(elsewhere).toBe(0);
    expect(said).toContain('it answers 307, and kcm does not follow elsewhere');
  });

  it('of an Edge ends with 1 too, and the doctor names the Edge', async () => {
    mkdirSync(join(folder, 'edge'));
    const socket = join(folder, 'edge', 'billing.sock');
    let body = '{{{';
    await serve((_request, response) => void response.end(body), socket);
    const input = Object.getOwnPropertyDescriptor(process, 'stdin')!;
    Object.defineProperty(process, 'stdin', {
      ...input,
      get: () => Readable.from([Buffer.from('plain')]),
    });
    for (body of ['{{{', '{"more":1}', 'null']) {
      expect(await kcm('encrypt --tenant a --service billing', 'http://localhost:1')).toBe(1);
      expect(await edgeFindings('billing', socket)).toMatchObject([{ level: 'wrong' }]);
    }
    Object.defineProperty(process, 'stdin', input);
    expect(printed).toBe('');
  });

  it('is told once when it ends a stream that was one, and the stream is taken up again', async () => {
    const event = 'id: a\ndata: {"time":"t","type":"x","subject":"s","data":{}}\n\n';
    const asked: unknown[] = [];
    const url = await serve(({ headers }, response) => {
      asked.push(headers['last-event-id']);
      if (asked.length === 3) json(401, '{"code":"unauthenticated","detail":"Over."}')(response);
      else stream(asked.length === 1 ? event : '')(response);
    });
    expect(await kcm(TAIL, url)).toBe(1);
    expect(asked).toEqual([undefined, 'a', 'a']);
    expect(said.match(/The stream is lost \(it ended\); it is taken up again/g)).toHaveLength(1);
    expect(said).toContain('[unauthenticated]');
  });
});
