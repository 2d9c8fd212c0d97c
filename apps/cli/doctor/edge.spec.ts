import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { edgeFindings } from './edge.js';

const reason = (level: string) => ({
  dependency: 'core',
  level,
  code: 'x',
  detail: 'x',
  next: 'y',
});

describe('The doctor', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-doctor-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each([
    [200, { reasons: [] }, []],
    [200, { reasons: [reason('degraded')] }, ['degraded']],
    [503, { reasons: [reason('unavailable'), reason('degraded')] }, ['wrong', 'degraded']],
  ])('of an Edge that answers %d %j says %j', async (status, body, levels) => {
    const socket = join(folder, 'other.sock');
    const edge: Server = createServer((_request, response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    );
    await new Promise<void>((resolve) => edge.listen(socket, resolve));
    const found = await edgeFindings('other', socket);
    await new Promise((resolve) => edge.close(resolve));
    expect(found.map(({ level }) => level)).toEqual(levels);
    expect(found.filter(({ next }) => next === null)).toEqual([]);
  });

  it('of an Edge that is gone says that it is wrong', async () => {
    const found = await edgeFindings('gone', join(folder, 'gone.sock'));
    expect(found).toMatchObject([{ level: 'wrong', part: 'Edge for gone' }]);
  });
});
