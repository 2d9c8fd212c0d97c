import { request } from 'node:http';
import { Unreachable } from './failures.js';

export interface EdgeAnswer {
  readonly status: number;
  readonly text: string;
}

/** It gives up on a lease, and on a caller that does not take its answer, sooner. */
const ANSWER_MS_MAX = 20_000;

/** One call to an Edge of this machine over its Unix socket. @throws Unreachable */
export function askEdge(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
  answerMs = ANSWER_MS_MAX,
): Promise<EdgeAnswer> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(payload),
    };
    const given = body === undefined ? {} : { headers };
    const signal = AbortSignal.timeout(answerMs);
    const fail = (cause: Error) =>
      reject(Unreachable.at(socketPath, signal.aborted ? signal.reason : { cause }));
    const call = request({ socketPath, path, method, signal, ...given }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', fail);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: answer.statusCode ?? 0, text });
      });
    });
    call.on('error', fail);
    call.end(payload);
  });
}
