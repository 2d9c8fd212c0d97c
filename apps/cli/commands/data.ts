import type { Command } from 'commander';
import { request } from 'node:http';
import { type ProblemBody, Refused, Unreachable } from '../failures.js';
import { declare } from '../program.js';
import { readStdin } from '../stdin.js';
import { pairs } from './tenants.js';

interface Options {
  readonly tenant: string;
  readonly service: string;
  readonly context?: string[];
}

/** One call to the local Edge over its Unix socket. */
function callEdge(socketPath: string, path: string, body: object): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    const payload = JSON.stringify(body);
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(payload),
    };
    const call = request({ socketPath, path, method: 'POST', headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', (cause) => reject(Unreachable.at(socketPath, { cause })));
      answer.on('end', () => {
        const parsed = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, string>;
        if (answer.statusCode === 200) resolve(parsed);
        else reject(new Refused(parsed as unknown as ProblemBody));
      });
    });
    call.on('error', (cause) => reject(Unreachable.at(socketPath, { cause })));
    call.end(payload);
  });
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
