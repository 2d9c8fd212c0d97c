/** One block of an event stream: an id alone (no data) is where to go on from. */
export interface ServerSent {
  /** Of the last block that had one. */
  readonly id: string | null;
  readonly data: string | null;
}

/**
 * Parses an event stream (WHATWG HTML §9.2.6); what has neither data nor id is left out, as is a
 * block that the stream ends in. `heard` is called for everything that comes.
 */
export async function* serverSentEvents(
  bytes: AsyncIterable<Uint8Array>,
  heard: () => void = () => {},
): AsyncGenerator<ServerSent> {
  const decoder = new TextDecoder();
  let rest = '';
  let id: string | null = null;
  let fresh = false;
  let data: string[] = [];
  for await (const chunk of bytes) {
    heard();
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the end may be half of a line's end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === '') {
        if (fresh || data.length > 0) yield { id, data: data.length > 0 ? data.join('\n') : null };
        data = [];
        fresh = false;
        continue;
      }
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
      if (field === 'data') data.push(value);
      if (field !== 'id' || value.includes('\0')) continue;
      id = value;
      fresh = true;
    }
  }
}
