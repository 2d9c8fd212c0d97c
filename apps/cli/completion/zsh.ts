import { type Place, quoted, type Word } from './words.js';

/** In what `_describe` shows, a colon ends the word. */
const described = ({ word, about }: Word): string =>
  quoted(about === '' ? word : `${word}:${about.replaceAll(':', '\\:')}`);

/** A completion script for zsh; after an option that takes a value it offers files. */
export function zshCompletion(places: readonly Place[]): string {
  const reached = places.filter(({ at }) => at !== '').map(({ at }) => quoted(at));
  const values = places.flatMap(({ at, valued }) => valued.map((word) => quoted(`${at} ${word}`)));
  const offers = places.map(({ at, commands, options, choices }) => {
    const words = [...commands, ...choices.map((word) => ({ word, about: '' })), ...options];
    return `    ${quoted(at)}) offered=(${words.map(described).join(' ')}) ;;`;
  });
  return `#compdef kcm
# zsh completion of kcm, after compinit: source <(kcm completion zsh)
_kcm() {
  local at="" word
  local -a offered
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${reached.join('|')}) at="$at $word" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
    ${values.join('|')}) _files; return ;;
  esac
  case "$at" in
${offers.join('\n')}
  esac
  _describe kcm offered || _files
}
if [[ "\${funcstack[1]}" = _kcm ]]; then _kcm "$@"; else compdef _kcm kcm; fi
`;
}
