import { correlated } from './http/correlation.js';
import { createLogger, errorForLog } from './logger.js';

describe('The logger', () => {
  const evil = 'a\r\n{"msg":"forged"}\u001b[2J\u009b1m\u2028\u2029\u202e\ud800';
  let lines: string[];
  const logger = (level = 'info') => createLogger(level, 'local', (line) => lines.push(line));
  beforeEach(() => {
    lines = [];
  });

  it('writes one line an entry, whatever is in it, and nothing unprintable', () => {
    logger().info({ [evil]: evil, err: new Error(evil), list: [evil] }, evil);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[\P{C}]+\n$/u);
    const entry = JSON.parse(lines[0]!) as Record<string, unknown>;
    expect(entry).toMatchObject({ level: 30, region: 'local', msg: evil, [evil]: evil });
  });

  it('has the correlation id of what it is written in, also later', async () => {
    await correlated('req-1', async () => {
      await Promise.resolve();
      logger().warn('inside');
      logger().warn({ correlationId: 'own' }, 'of another');
    });
    logger().warn('outside');
    const ids = lines.map((line) => (JSON.parse(line) as { correlationId?: string }).correlationId);
    expect(ids).toEqual(['req-1', 'own', undefined]);
  });

  it('cuts out what is called a secret, and is silent below its level', () => {
    const log = logger('warn');
    log.info('no');
    log.warn({ body: { token: 'kst_x', share: 'kcms1-x', credentials: { a: 1 } } }, 'yes');
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/kst_x|kcms1/);
  });
});

describe('An error in the log', () => {
  it('is its type, code, message, stack and cause, and nothing that hangs on it', () => {
    const request = { headers: { 'x-vault-token': 'hvs.secret' } };
    const cause = Object.assign(new TypeError('refused'), { request });
    const error = Object.assign(new Error('the call failed', { cause }), {
      code: 'ECONNREFUSED',
      config: request,
      response: { body: 'hvs.secret' },
    });
    const logged = errorForLog(error);
    expect(JSON.stringify(logged)).not.toContain('hvs.secret');
    expect(logged).toMatchObject({
      type: 'Error',
      code: 'ECONNREFUSED',
      message: 'the call failed',
      cause: { type: 'TypeError', message: 'refused' },
    });
  });

  it('is short, however long what was thrown is or whatever it is', () => {
    const endless = new Error('x'.repeat(1_000_000));
    endless.cause = endless;
    expect(JSON.stringify(errorForLog(endless)).length).toBeLessThan(100_000);
    expect(errorForLog(null)).toEqual({ type: 'object', message: 'null' });
    expect(errorForLog('thrown text')).toEqual({ type: 'string', message: 'thrown text' });
  });
});
