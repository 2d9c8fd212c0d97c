/**
 * What a terminal obeys, or a reader of lines takes for their end, and what shows nothing or turns
 * the order of what it shows: control and format characters (C0, DEL, C1 with its CSI, bidi), line
 * and paragraph separators, lone surrogates, and what is nobody's.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu;
const LAYOUT = new Set(['\n', '\t']);

const escaped = (found: string): string => {
  let text = '';
  for (let at = 0; at < found.length; at += 1)
    text += `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return text;
};

/** JSON text whose strings hold nothing unprintable; what it parses to is the same. */
export const printableJson = (json: string): string =>
  json.replaceAll(UNPRINTABLE, (found) => (found === '\n' ? found : escaped(found)));

/** Text of somebody else for one line. */
export const printableLine = (text: string): string => text.replaceAll(UNPRINTABLE, escaped);

/** Text that has lines of its own. */
export const printableText = (text: string): string =>
  text.replaceAll(UNPRINTABLE, (found) => (LAYOUT.has(found) ? found : escaped(found)));
