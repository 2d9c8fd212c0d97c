/**
 * All of standard input, however slowly it comes: reading the descriptor at once fails with EAGAIN
 * when the other end of a pipe has nothing to say yet.
 */
export async function readStdin(): Promise<Buffer> {
  if (process.stdin.isTTY) process.stderr.write('Type it here, and end it with Ctrl-D.\n');
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
