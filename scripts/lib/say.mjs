/** One line of progress on stderr, so that stdout stays the program's own. */
export const say = (text) => process.stderr.write(`· ${text}\n`);
