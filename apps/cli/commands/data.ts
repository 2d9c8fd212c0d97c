import type { Command } from 'commander';
import { objectOf, refusalOf, unexpected } from '../answer.js';
import { askEdge } from '../edge-socket.js';
import { declare } from '../program.js';
import { readStdin } from '../stdin.js';
import { pairs } from '../pairs.js';

interface Options {
  readonly tenant: string;
  readonly service: string;
  readonly context?: string[];
}

/** @returns what it answers under that name. @throws Refused · Unreachable */
async function callEdge(
  socketPath: string,
  path: string,
  body: object,
  name: 'ciphertext' | 'plaintext',
): Promise<string> {
  const { status, text } = await askEdge(socketPath, 'POST', path, body);
  if (status !== 200) throw refusalOf(status, text);
  const { [name]: given } = objectOf(text) as { readonly [name: string]: unknown };
  if (typeof given !== 'string') throw unexpected(`its answer holds no ${name}`);
  return given;
}

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
    async ({ settings }, options) => {
      const plaintext = (await readStdin()).toString('base64');
      const path = `/v1/tenants/${encodeURIComponent(options.tenant)}/encrypt`;
      const body = { plaintext, ...contextOf(options) };
      return callEdge(settings.edgeSocket(options.service), path, body, 'ciphertext');
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
    async ({ settings }, options) => {
      const ciphertext = (await readStdin()).toString('utf8').trim();
      const path = `/v1/tenants/${encodeURIComponent(options.tenant)}/decrypt`;
      const body = { ciphertext, ...contextOf(options) };
      const socket = settings.edgeSocket(options.service);
      const plaintext = await callEdge(socket, path, body, 'plaintext');
      process.stdout.write(Buffer.from(plaintext, 'base64'));
      return undefined;
    },
  );
}
