import type { Command } from 'commander';
import { objectOf, refusalOf, unexpected } from '../answer.js';
import { askEdge } from '../edge-socket.js';
import { declare, type Run } from '../program.js';
import { readStdin } from '../stdin.js';
import { pairs } from '../pairs.js';

interface Options {
  readonly tenant: string;
  readonly service: string;
  readonly context?: string[];
}

type Said = Readonly<Record<string, unknown>>;

/** What the local Edge answers. @throws Refused · Unreachable */
async function askTenant(
  { settings }: Run,
  options: Options,
  verb: string,
  body: object,
): Promise<Said> {
  const path = `/v1/tenants/${encodeURIComponent(options.tenant)}/${verb}`;
  const asked = { ...body, ...contextOf(options) };
  const { status, text } = await askEdge(settings.edgeSocket(options.service), 'POST', path, asked);
  if (status !== 200) throw refusalOf(status, text);
  return objectOf(text) as Said;
}

/** @throws Refused */
function textIn(said: Said, name: string): string {
  const given = said[name];
  if (typeof given !== 'string') throw unexpected(`its answer holds no ${name}`);
  return given;
}

const fromStdin = async (): Promise<string> => (await readStdin()).toString('utf8').trim();

const withTarget = (c: Command): Command =>
  c
    .requiredOption('--tenant <id>')
    .option('--service <id>', 'whose socket', 'default')
    .option('--context <name=value...>', 'bound to the ciphertext; the same opens it');

const contextOf = ({ context }: Options): object =>
  context === undefined ? {} : { context: pairs(context) };

export function dataCommands(program: Command): void {
  declare<Options>(
    program,
    'encrypt',
    {
      summary: 'Encrypt standard input with the local Edge; prints base64',
      example: 'encrypt --tenant acme --service billing < invoice.pdf',
    },
    withTarget,
    async (run, options) => {
      const plaintext = (await readStdin()).toString('base64');
      return textIn(await askTenant(run, options, 'encrypt', { plaintext }), 'ciphertext');
    },
  );
  declare<Options>(
    program,
    'decrypt',
    {
      summary: 'Decrypt base64 from standard input with the local Edge; writes the plaintext',
      example: 'decrypt --tenant acme --service billing < invoice.enc > invoice.pdf',
    },
    withTarget,
    async (run, options) => {
      const said = await askTenant(run, options, 'decrypt', { ciphertext: await fromStdin() });
      process.stdout.write(Buffer.from(textIn(said, 'plaintext'), 'base64'));
      return undefined;
    },
  );
  declare<Options>(
    program,
    'rewrap',
    {
      summary: 'What encrypt printed, under the newest version of its key; shows no plaintext',
      example: 'rewrap --tenant acme --service billing < invoice.enc',
    },
    withTarget,
    async (run, options) =>
      textIn(
        await askTenant(run, options, 'rewrap', { ciphertext: await fromStdin() }),
        'ciphertext',
      ),
  );
  dataKeyCommands(program.command('data-key').description('Data keys for callers (allowExport)'));
}

function dataKeyCommands(dataKey: Command): void {
  declare<Options>(
    dataKey,
    'create',
    {
      summary: 'A new data key, in the clear and wrapped',
      example: 'data-key create --tenant acme --service billing --json',
    },
    withTarget,
    (run, options) => askTenant(run, options, 'data-keys', {}),
  );
  declare<Options>(
    dataKey,
    'unwrap',
    {
      summary: 'The data key that standard input wraps, in the clear',
      example: 'data-key unwrap --tenant acme --service billing < wrapped.txt',
    },
    withTarget,
    async (run, options) =>
      askTenant(run, options, 'data-keys/unwrap', { wrapped: await fromStdin() }),
  );
  declare<Options>(
    dataKey,
    'rewrap',
    {
      summary: 'The wrapped data key under the newest version; does not show it',
      example: 'data-key rewrap --tenant acme --service billing < wrapped.txt',
    },
    withTarget,
    async (run, options) =>
      textIn(
        await askTenant(run, options, 'data-keys/rewrap', { wrapped: await fromStdin() }),
        'wrapped',
      ),
  );
}
