import { type Place, quoted } from './words.js';

/** A completion script for bash 4 and later; where nothing fits it leaves the word to files. */
export function bashCompletion(places: readonly Place[]): string {
  const reached = places.filter(({ at }) => at !== '').map(({ at }) => quoted(at));
  const values = places.flatMap(({ at, valued }) => valued.map((word) => quoted(`${at} ${word}`)));
  const offers = places.map(({ at, commands, options, choices }) => {
    const words = [...commands.map(({ word }) => word), ...choices];
    const flags = options.map(({ word }) => word);
    return `    ${quoted(at)}) words=${quoted([...words, ...flags].join(' '))} ;;`;
  });
  return `# bash completion of kcm: source <(kcm completion bash)
_kcm() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" at="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at $word" in
      ${reached.join('|')}) at="$at $word" ;;
    esac
  done
  case "$at \${COMP_WORDS[COMP_CWORD-1]}" in
    ${values.join('|')}) COMPREPLY=(); return ;;
  esac
  case "$at" in
${offers.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _kcm kcm
`;
}
