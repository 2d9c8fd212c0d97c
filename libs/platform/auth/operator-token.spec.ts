import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '@kcm/kernel';
import { operatorToken } from './operator-token.js';

describe('the operator token', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const written = () => readFileSync(at('operator-token'), 'utf8').trim();
  const open = () => operatorToken(folder, systemRandom);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-operator-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is known by its digest alone: the file may be taken away', () => {
    open();
    const token = written();
    rmSync(at('operator-token'));
    expect([open()(token), open()(`${token}x`), open()('')]).toEqual([true, false, false]);
  });

  it('a first start that was killed between its two files makes both anew', () => {
    open();
    rmSync(at('operator-token.sha256'));
    const isOperator = open();
    expect(isOperator(written())).toBe(true);
  });

  it('a digest that is cut off locks nobody out for ever', () => {
    open();
    writeFileSync(at('operator-token.sha256'), '');
    const isOperator = open();
    expect(isOperator(written())).toBe(true);
  });
});
