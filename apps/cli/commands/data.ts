import type { Command } from 'commander';
import { askEdge } from '../edge-socket.js';
import { type ProblemBody, Refused } from '../failures.js';
import { declare } from '../program.js';
import { readStdin } from '../stdin.js';
import { pairs } from '../pairs.js';

interface Options {
  readonly tenant: string;
  readonly service: string;
  readonly context?: string[];
}

/** @throws Refused · Unreachable */
async function callEdge(
  socketPath: string,
  path: string,
  body: object,
): Promise<Record<string, string>> {
  const answer = await askEdge(socketPath, 'POST', path, body);
  if (answer.status === 200) return answer.body as Record<string, string>;
  throw new Refused(answer.body as ProblemBody);
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
      const answer = await callEdge(settings.edgeSocket(options.service), path, body);
      return answer['ciphertext'];
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
      const answer = await callEdge(settings.edgeSocket(options.service), path, body);
      process.stdout.write(Buffer.from(answer['plaintext']!, 'base64'));
      return undefined;
    },
  );
}
