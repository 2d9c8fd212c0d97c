import type { Command } from 'commander';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Refused, Unreachable } from '../failures.js';
import { declare } from '../program.js';
import { wholeNumber } from '../whole-number.js';

interface Where {
  readonly data: string;
}
const MAIN = fileURLToPath(new URL('../../keystore/main.js', import.meta.url));

const withFolder = (c: Command): Command =>
  c.option('--data <dir>', "the keystore's own folder", '.kcm-keystore');

/** The owner's door of the customer's keystore. */
async function administer({ data }: Where, path: string, body: object): Promise<unknown> {
  const endpoint = join(data, 'endpoint.json');
  const tokenFile = join(data, 'admin-token');
  if (!existsSync(endpoint) || !existsSync(tokenFile)) {
    throw new Unreachable(
      `No keystore runs on ${data}. Start it: kcm keystore serve --data ${data}`,
    );
  }
  const { url } = JSON.parse(readFileSync(endpoint, 'utf8')) as { url: string };
  const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
  let ok: boolean;
  let answer: Record<string, string>;
  try {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    ok = response.ok;
    answer = (await response.json()) as Record<string, string>;
  } catch (error) {
    throw Unreachable.at(url, error);
  }
  if (ok) return { url, ...answer };
  throw new Refused({ code: answer['error'] ?? 'refused', detail: answer['detail'] ?? '' });
}

export function keystoreCommands(program: Command): void {
  const keystore = program
    .command('keystore')
    .description("The customer's side: a little keystore of its own, for trials");
  declare<Where & { port: string }>(
    keystore,
    'serve',
    { summary: 'Run the keystore in the foreground', example: 'keystore serve --data ./bank' },
    (c) => withFolder(c).option('--port <n>', 'its port; 0 takes a free one', '8300'),
    (_run, { data, port }) =>
      new Promise((resolve, reject) => {
        const args = [MAIN, '--data', data, '--port', port];
        const child = spawn(process.execPath, args, { stdio: 'inherit' });
        process.on('SIGINT', () => child.kill('SIGINT'));
        process.on('SIGTERM', () => child.kill('SIGTERM'));
        child.on('error', reject);
        child.on('exit', (code) => {
          process.exitCode = code ?? 1;
          resolve(undefined);
        });
      }),
  );
  declare<Where & { label?: string }>(
    keystore,
    'create <key>',
    { summary: 'Create a key; prints its access token', example: 'keystore create acme' },
    (c) => withFolder(c).option('--label <text>', 'whom the token is for, as the audit file says'),
    (_run, where, name) =>
      administer(where, '/admin/keys', {
        name,
        ...(where.label === undefined ? {} : { label: where.label }),
      }),
  );
  for (const [verb, summary] of [
    ['disable', 'Disable a key: nothing of it decrypts any more'],
    ['enable', 'Enable it again'],
    ['rotate', 'A new version of a key: it wraps from now on, earlier ones still unwrap'],
    ['withdraw', "Withdraw every token's access to a key"],
    ['allow', 'Allow it again'],
  ] as const) {
    declare<Where>(
      keystore,
      `${verb} <key>`,
      { summary, example: `keystore ${verb} acme` },
      withFolder,
      (_run, where, key) => administer(where, `/admin/keys/${encodeURIComponent(key)}/${verb}`, {}),
    );
  }
  declare<Where & { days?: string; now?: boolean }>(
    keystore,
    'delete <key>',
    { summary: 'Schedule the deletion of a key', example: 'keystore delete acme --now' },
    (c) =>
      withFolder(c)
        .option('--days <n>', 'days until it is gone')
        .option('--now', 'at once: the key is destroyed'),
    (_run, where, key) =>
      administer(where, `/admin/keys/${encodeURIComponent(key)}/delete`, {
        ...(where.now ? { immediate: true } : {}),
        ...(where.days === undefined ? {} : { days: wholeNumber(where.days) }),
      }),
  );
}
