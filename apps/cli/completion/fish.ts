import type { Place, Word } from './words.js';

/** Inside single quotes fish reads \\ and \' alone. */
const fishQuoted = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const about = (word: Word): string => (word.about === '' ? '' : ` -d ${fishQuoted(word.about)}`);

/** A completion script for fish; after an option that takes a value it offers files. */
export function fishCompletion(places: readonly Place[]): string {
  const reached = places.filter(({ at }) => at !== '').map(({ at }) => fishQuoted(at));
  const lines = places.flatMap(({ at, commands, options, choices, valued }) => {
    const start = `complete -c kcm -n ${fishQuoted(`__kcm_is_at ${fishQuoted(at)}`)}`;
    return [
      ...commands.map((one) => `${start} -a ${one.word}${about(one)}`),
      ...choices.map((word) => `${start} -a ${word}`),
      ...options.map((one) => {
        const value = valued.includes(one.word) ? ' -r -F' : '';
        return `${start} -l ${one.word.slice(2)}${value}${about(one)}`;
      }),
    ];
  });
  return `# fish completion of kcm: kcm completion fish | source
function __kcm_is_at
  set -l typed (commandline -opc)
  set -e typed[1]
  set -l at ''
  for word in $typed
    if contains -- "$at $word" ${reached.join(' ')}
      set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
complete -c kcm -f
${lines.join('\n')}
`;
}
